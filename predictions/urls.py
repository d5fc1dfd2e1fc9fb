"""The addresses of the prediction pages."""

from django.urls import path

from predictions import again, playground, views

urlpatterns = [
    path("predictions", views.predictions, name="predictions"),
    path("predictions/history.csv", views.predictions_csv, name="predictions_csv"),
    path("predictions/new", playground.prediction_new, name="prediction_new"),
    path("predictions/quote", playground.prediction_quote, name="prediction_quote"),
    path("predictions/<uuid:pk>", views.prediction, name="prediction"),
    path("predictions/<uuid:pk>/again", again.prediction_again, name="prediction_again"),
    path("predictions/<uuid:pk>/cancel", views.prediction_cancel, name="prediction_cancel"),
    path("predictions/<uuid:pk>/results.csv", views.prediction_results, name="prediction_results"),
]
