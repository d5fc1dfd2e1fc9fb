"""Predictions over the API: submit (and wait), read, list, cancel."""

from typing import Any, cast

import structlog
from django.db import Error
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    extend_schema,
    extend_schema_view,
)
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mlservice.lib.idempotency import HEADER, REPLAYED, read_key
from mlservice.lib.openapi import IDEMPOTENCY_KEY
from mlservice.lib.tokens import Bearer, TokenAuthentication
from predictions.api import documents, examples
from predictions.api.cancel_after import CANCEL_AFTER, cancel_after_seconds
from predictions.api.cancel_after import HEADER as CANCEL_AFTER_HEADER
from predictions.api.filters import PredictionFilter
from predictions.api.prefer import preferred_wait_seconds
from predictions.api.serializers import (
    PredictionRequestSerializer,
    PredictionSerializer,
    PredictionSummarySerializer,
    read_request,
)
from predictions.models import Prediction
from predictions.services import cancel_prediction
from predictions.submitting import prepare_submission, replayed_prediction
from predictions.waiting import submit_and_wait

POLL_AFTER_SECONDS = 1


@extend_schema_view(get=extend_schema(examples=[examples.LISTED]))
class PredictionListView(ListAPIView[Prediction]):
    """Your predictions, newest first, without their rows."""

    serializer_class = PredictionSummarySerializer
    filterset_class = PredictionFilter
    queryset = Prediction.objects.none()

    def get_queryset(self) -> QuerySet[Prediction]:
        return Prediction.objects.for_user(self.request.user.pk).without_rows()

    @extend_schema(
        request=PredictionRequestSerializer,
        responses={201: PredictionSerializer, 202: PredictionSerializer},
        parameters=[
            OpenApiParameter(
                "Prefer",
                str,
                OpenApiParameter.HEADER,
                description="`wait=N` waits up to N seconds (1 to 60) for the prediction.",
            ),
            CANCEL_AFTER,
            IDEMPOTENCY_KEY,
        ],
        examples=[examples.REQUEST, examples.FINISHED, examples.FINISHED_CLASSIFIED],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """Accept rows for prediction: 202, or 201 when it finished while you waited."""
        asked = read_request(request.data)
        key = read_key(request.headers.get(HEADER), request.data)
        bearer = cast(Bearer, request.user)
        if key.value:
            bearer.confirm()
        if earlier := replayed_prediction(user_id=request.user.pk, key=key):
            return accepted(request, earlier, waited_seconds=0)
        metadata = asked.pop("metadata", {})
        seconds = preferred_wait_seconds(request.headers.get("Prefer", ""))
        cancel_after = cancel_after_seconds(request.headers.get(CANCEL_AFTER_HEADER))
        prediction = submit_and_wait(
            seconds=seconds,
            submission=prepare_submission(**asked, user_id=request.user.pk),
            user_id=request.user.pk,
            source=Prediction.Source.API,
            metadata=metadata,
            key=key,
            cancel_after_seconds=cancel_after,
            request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
            refusal=bearer.refusal,
        )
        return accepted(request, prediction, waited_seconds=seconds)

    def get_authenticators(self) -> list[BaseAuthentication]:
        """Let the submission ask about the user whose wallet it locks."""
        is_post = self.request is not None and self.request.method == "POST"
        return [TokenAuthentication(asks_later=True)] if is_post else super().get_authenticators()

    def handle_exception(self, exc: Exception) -> Response:
        """Tell who sends an ended token that, and nothing else."""
        bearer = getattr(self.request, "user", None)
        if isinstance(bearer, Bearer) and not isinstance(exc, Error | AuthenticationFailed):
            try:
                bearer.confirm()
            except AuthenticationFailed as refusal:
                exc = refusal
        return super().handle_exception(exc)


def accepted(request: Request, prediction: Prediction, *, waited_seconds: int) -> HttpResponse:
    """Answer 201 for a finished prediction; else 202, where to look and when."""
    root = documents.root_of(request)
    response = HttpResponse(
        documents.encoded(prediction, root),
        status=201 if prediction.is_finished else 202,
        content_type="application/json",
    )
    response["Location"] = documents.address(prediction, root)
    if prediction.is_replayed:
        response[REPLAYED] = "true"
    elif waited_seconds:
        response["Preference-Applied"] = f"wait={waited_seconds}"
    if not prediction.is_finished:
        response["Retry-After"] = str(POLL_AFTER_SECONDS)
    return response


@extend_schema_view(get=extend_schema(examples=[examples.FINISHED, examples.FINISHED_CLASSIFIED]))
class PredictionView(RetrieveAPIView[Prediction]):
    """One prediction, with its rows."""

    serializer_class = PredictionSerializer
    queryset = Prediction.objects.none()

    def get_queryset(self) -> QuerySet[Prediction]:
        return Prediction.objects.for_user(self.request.user.pk).with_version()


class CancelView(APIView):
    """Cancel a prediction: at once while it waits, free at its end while it runs."""

    @extend_schema(
        request=None,
        responses={200: PredictionSerializer},
        examples=[
            OpenApiExample(
                "Canceled",
                {**examples.PREDICTION, "status": "canceled", "cost": 0, "output": None},
                response_only=True,
            )
        ],
    )
    def post(self, request: Request, pk: Any) -> Response:
        mine = Prediction.objects.for_user(request.user.pk).with_version()
        prediction = cancel_prediction(prediction=get_object_or_404(mine, pk=pk))
        return Response(PredictionSerializer(prediction, context={"request": request}).data)
