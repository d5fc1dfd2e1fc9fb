"""The only place that signs tokens and checks their signature, also while the key is changed."""

from functools import cached_property
from typing import Any

from django.conf import settings
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken
from rest_framework_simplejwt.settings import api_settings


class Backend(TokenBackend):
    """Signs with one key; also takes what an earlier key signed, until it has expired."""

    def __init__(self, key: str, *earlier: str) -> None:
        super().__init__(
            api_settings.ALGORITHM,
            key,
            audience=api_settings.AUDIENCE,
            issuer=api_settings.ISSUER,
            leeway=api_settings.LEEWAY,
        )
        self.earlier = earlier

    @cached_property
    def before(self) -> "Backend | None":
        return Backend(*self.earlier) if self.earlier else None

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """Return the payload; raise TokenBackendError if none of the keys made the signature."""
        try:
            return super().decode(token, verify)
        # Its signature was good: no other key could make it younger.
        except TokenBackendExpiredToken:
            raise
        except TokenBackendError:
            if self.before is None:
                raise
            return self.before.decode(token, verify)


_backend = Backend(settings.JWT_SIGNING_KEY, *settings.JWT_SIGNING_KEY_FALLBACKS)


class AccessToken(tokens.AccessToken):
    def get_token_backend(self) -> TokenBackend:
        return _backend


class RefreshToken(tokens.RefreshToken):
    access_token_class = AccessToken

    def get_token_backend(self) -> TokenBackend:
        return _backend
