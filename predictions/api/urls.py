"""Where predictions answer under /api/v1/."""

from django.urls import path

from predictions.api import quotes, views

urlpatterns = [
    path("predictions", views.PredictionListView.as_view(), name="api_predictions"),
    path("predictions/<uuid:pk>", views.PredictionView.as_view(), name="api_prediction"),
    path("predictions/<uuid:pk>/cancel", views.CancelView.as_view(), name="api_prediction_cancel"),
    path("quotes", quotes.QuoteView.as_view(), name="api_quotes"),
]
