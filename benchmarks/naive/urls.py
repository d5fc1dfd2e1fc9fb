"""The naive build's two addresses."""

from django.urls import path

from benchmarks.naive.views import PredictView, insert_one

urlpatterns = [
    path("predictions", PredictView.as_view()),
    path("bare", insert_one),
]
