"""The only place that says whether a token still stands for its user."""

import time
from functools import lru_cache
from typing import Any

from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken, TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from mlservice.lib.keys import AccessToken

# A token without it is older than the first signing out everywhere.
SIGN_OUTS = "sign_outs"
TOKENS_KEPT = 1_024
NOT_GOOD = (
    "This access token is not good, or not any more. POST /api/v1/auth/token or"
    " /api/v1/auth/token/refresh gives another one."
)


def is_signed_out(token: Any, user: Any) -> bool:
    """Say whether the user has signed out everywhere since the token was issued."""
    return bool(token.get(SIGN_OUTS, 0) != user.sign_outs)


def has_old_password(token: Any, user: Any) -> bool:
    """Say whether the user's password was changed since the token was issued."""
    return bool(token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password))


class TokenAuthentication(JWTAuthentication):
    """Asks the database about the user of every token, so that an ended one is refused at once.

    With `asks_later` that is left to a view that reads the user's row anyway, by `Bearer.refusal`;
    before such a view tells anything else, it lets the bearer `confirm`.
    """

    def __init__(self, *, asks_later: bool = False) -> None:
        super().__init__()
        self.asks_later = asks_later

    def get_validated_token(self, raw_token: bytes) -> Any:
        """Check the signature of a token once, however often it comes until it has expired."""
        try:
            token = _signed(raw_token)
        except TokenError as error:
            raise InvalidToken(NOT_GOOD) from error
        if token.payload["exp"] <= time.time():
            raise InvalidToken(NOT_GOOD)
        return token

    def get_user(self, validated_token: Any) -> Any:
        bearer = Bearer(validated_token)
        if self.asks_later:
            return bearer
        user = super().get_user(validated_token)
        if refusal := bearer.refusal(user):
            raise refusal
        return user


@lru_cache(maxsize=TOKENS_KEPT)
def _signed(raw_token: bytes) -> AccessToken:
    """Raise TokenError for one that is not ours, not of this kind or not good any more."""
    return AccessToken(raw_token)  # type: ignore[arg-type]


class Bearer:
    """The user of a token whose signature is good, about whom the database was not asked yet."""

    is_authenticated = True

    def __init__(self, token: Any) -> None:
        """Raise InvalidToken for one that names no user."""
        try:
            self.pk = int(token[api_settings.USER_ID_CLAIM])
        except (KeyError, ValueError) as error:
            raise InvalidToken("The token names no user.") from error
        self.token = token

    def confirm(self) -> None:
        """Ask now. Raise AuthenticationFailed if the token was ended or the user disabled."""
        TokenAuthentication().get_user(self.token)

    def refusal(self, user: Any) -> Exception | None:
        """Say of the user, read from the database, why the token does not stand for it."""
        if not user.is_active:
            return AuthenticationFailed("User is inactive", code="user_inactive")
        if has_old_password(self.token, user):
            return AuthenticationFailed(
                "The user's password has been changed.", code="password_changed"
            )
        if is_signed_out(self.token, user):
            return AuthenticationFailed("This token was ended by signing out.", code="signed_out")
        return None
