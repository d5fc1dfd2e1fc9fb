"""The refresh token that is good for one use, and only while nothing has ended it."""

from typing import Any

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import User
from mlservice.lib.keys import RefreshToken
from mlservice.lib.tokens import SIGN_OUTS, has_old_password, is_signed_out


class SingleUseRefreshToken(RefreshToken):
    @classmethod
    def for_user(cls, user: Any) -> Any:
        """Note how often the user has signed out; access and later refresh tokens copy it."""
        token = super().for_user(user)
        token[SIGN_OUTS] = user.sign_outs
        return token

    def verify(self, *args: Any, **kwargs: Any) -> None:
        """Raise TokenError as well once the password was changed or the user signed out."""
        super().verify(*args, **kwargs)
        user = User.objects.filter(pk=self.payload.get("user_id") or 0).first()
        if user is None or is_signed_out(self, user) or has_old_password(self, user):
            raise TokenError("This refresh token was ended.")

    def blacklist(self) -> Any:
        """Blacklist the token; raise TokenError when somebody else has just done so.

        The library's own method accepts a row that is there already, and so lets
        concurrent refreshes of one token all win.
        """
        outstanding, _ = OutstandingToken.objects.get_or_create(
            jti=self.payload["jti"],
            defaults={
                "user_id": self.payload.get("user_id"),
                "created_at": self.current_time,
                "token": str(self),
                "expires_at": self.current_time + self.lifetime,
            },
        )
        blacklisted, is_first = BlacklistedToken.objects.get_or_create(token=outstanding)
        if not is_first:
            raise TokenError("This refresh token was used already.")
        return blacklisted, is_first
