"""Where billing answers under /api/v1/."""

from django.urls import path

from billing.api import views, webhooks

urlpatterns = [
    path("wallet", views.WalletView.as_view(), name="api_wallet"),
    path("wallet/entries", views.EntryListView.as_view(), name="api_entries"),
    path("wallet/statements/<str:month>", views.StatementView.as_view(), name="api_statement"),
    path("wallet/top-ups", views.TopUpListView.as_view(), name="api_top_ups"),
    path("wallet/top-ups/<uuid:pk>", views.TopUpView.as_view(), name="api_top_up"),
    path("webhooks/stripe", webhooks.StripeView.as_view(), name="api_stripe_webhook"),
]
