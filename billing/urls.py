"""Addresses of the pages about money."""

from django.urls import path

from billing import views

urlpatterns = [
    path("wallet", views.wallet, name="wallet"),
    path("wallet/top-up", views.top_up, name="top_up"),
    path("wallet/statements/<str:month>", views.wallet_statement, name="statement"),
    path("wallet/cap", views.cap, name="spending_cap"),
    path("wallet/low-balance", views.low_balance, name="low_balance"),
    path("wallet/low-balance/dismiss", views.low_balance_seen, name="low_balance_seen"),
    path("wallet/top-ups/<uuid:pk>", views.top_up_page, name="top_up_page"),
    path("wallet/top-ups/<uuid:pk>/receipt", views.receipt, name="receipt"),
]
