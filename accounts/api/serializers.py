"""The shapes of people in the API."""

from typing import Any

from rest_framework import serializers
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)

from accounts.api.tokens import SingleUseRefreshToken
from accounts.models import User


class RegistrationSerializer(serializers.Serializer[User]):
    username = serializers.CharField(max_length=150)
    email = serializers.EmailField()
    password = serializers.CharField(
        max_length=128, write_only=True, trim_whitespace=False, style={"input_type": "password"}
    )


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "email"]


class ProfileSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "email", "language", "time_zone"]


class TokenPairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class ObtainSerializer(TokenObtainPairSerializer):
    token_class = SingleUseRefreshToken


class RefreshSerializer(TokenRefreshSerializer):
    token_class = SingleUseRefreshToken


class RevokeSerializer(TokenBlacklistSerializer):
    token_class = SingleUseRefreshToken
