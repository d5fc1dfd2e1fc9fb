"""The only place that says whether a token was ended before its time."""

from typing import Any

from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed

# A token without it is older than the first signing out everywhere.
SIGN_OUTS = "sign_outs"


def is_signed_out(token: Any, user: Any) -> bool:
    """Say whether the user has signed out everywhere since the token was issued."""
    return bool(token.get(SIGN_OUTS, 0) != user.sign_outs)


class TokenAuthentication(JWTAuthentication):
    def get_user(self, validated_token: Any) -> Any:
        user = super().get_user(validated_token)
        if is_signed_out(validated_token, user):
            raise AuthenticationFailed("This token was ended by signing out.", code="signed_out")
        return user
