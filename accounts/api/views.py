"""Registration, tokens and the profile over the API."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.exceptions import ValidationError as InvalidBody
from rest_framework.generics import RetrieveAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView

from accounts.api.serializers import (
    ObtainSerializer,
    ProfileSerializer,
    RefreshSerializer,
    RegistrationSerializer,
    RevokeSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from accounts.models import User
from accounts.services import register_user
from mlservice.lib.throttles import RegistrationThrottle

AUTH_HEADER_TYPE = 'Bearer realm="api"'
LOCK_SECONDS = int(settings.AXES_COOLOFF_TIME.total_seconds())
CREDENTIALS = {"username": "ada", "password": "a long and private phrase"}
TOKENS = OpenApiExample("Tokens", {"access": "eyJ…", "refresh": "eyJ…"}, response_only=True)


class BearerScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    """Documents our authentication as the library's, which it extends."""

    target_class = "mlservice.lib.tokens.TokenAuthentication"


class RegisterView(APIView):
    """Open an account, with its wallet, for a client."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (RegistrationThrottle,)

    @extend_schema(
        request=RegistrationSerializer,
        responses={201: UserSerializer},
        auth=[],
        examples=[
            OpenApiExample(
                "A new client", {**CREDENTIALS, "email": "ada@example.com"}, request_only=True
            ),
            OpenApiExample(
                "Registered",
                {"id": 7, "username": "ada", "email": "ada@example.com"},
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        body = RegistrationSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        try:
            user = register_user(**body.validated_data)
        except ValidationError as error:
            raise InvalidBody(as_serializer_error(error)) from error
        return Response(UserSerializer(user).data, status=status.HTTP_201_CREATED)


@extend_schema(
    request=ObtainSerializer,
    responses={200: TokenPairSerializer},
    auth=[],
    examples=[OpenApiExample("Credentials", CREDENTIALS, request_only=True), TOKENS],
)
class TokenView(TokenObtainPairView):
    """Exchange name and password for an access token (5 minutes) and a refresh token."""

    serializer_class = ObtainSerializer
    throttle_scope = "token"

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say it when the name is locked after too many wrong passwords."""
        try:
            return super().post(request, *args, **kwargs)
        except AuthenticationFailed:
            if getattr(request, "axes_locked_out", False):
                raise Throttled(wait=LOCK_SECONDS) from None
            raise


@extend_schema(
    request=RefreshSerializer,
    responses={200: TokenPairSerializer},
    auth=[],
    examples=[OpenApiExample("Refresh", {"refresh": "eyJ…"}, request_only=True), TOKENS],
)
class RefreshView(TokenRefreshView):
    """Exchange a refresh token, once, for a new pair."""

    serializer_class = RefreshSerializer
    throttle_scope = "token"


class RevokeView(APIView):
    """Make a refresh token unusable; 401 for one that is no good any more."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_scope = "token"

    def get_authenticate_header(self, request: Request) -> str:
        """Name the scheme, or an invalid token would be answered as forbidden."""
        return AUTH_HEADER_TYPE

    @extend_schema(
        request=RevokeSerializer,
        responses={204: None},
        auth=[],
        examples=[OpenApiExample("Revoke", {"refresh": "eyJ…"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        body = RevokeSerializer(data=request.data)
        try:
            body.is_valid(raise_exception=True)
        except TokenError as error:
            raise InvalidToken(error.args[0]) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(RetrieveAPIView[User]):
    """Say who the token belongs to."""

    serializer_class = ProfileSerializer

    @extend_schema(
        examples=[
            OpenApiExample(
                "Me",
                {
                    "id": 7,
                    "username": "ada",
                    "email": "ada@example.com",
                    "language": "en",
                    "time_zone": "UTC",
                },
            )
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_object(self) -> Any:
        return self.request.user
