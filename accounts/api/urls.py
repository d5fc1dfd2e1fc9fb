"""Where accounts answers under /api/v1/."""

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view(), name="api_register"),
    path("auth/token", views.TokenView.as_view(), name="api_token"),
    path("auth/token/refresh", views.RefreshView.as_view(), name="api_token_refresh"),
    path("auth/token/revoke", views.RevokeView.as_view(), name="api_token_revoke"),
    path("me", views.MeView.as_view(), name="api_me"),
]
