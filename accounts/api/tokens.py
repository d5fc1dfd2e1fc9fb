"""The refresh token that is good for one use, however many threads use it at once."""

from typing import Any

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken


class SingleUseRefreshToken(RefreshToken):
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
