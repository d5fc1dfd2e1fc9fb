"""Accept a row, queue a task, poll until it is done; and an INSERT with nothing around it."""

import json
import time

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import AccessToken

from benchmarks.naive import tasks
from benchmarks.naive.serializers import RequestSerializer
from billing.services import lock_wallet, place_hold, wallet_of
from ml_models.models import MLModel
from mlservice.lib.ids import new_id
from predictions.models import Prediction

POLL_SECONDS = 0.01
WAIT_SECONDS = 30


class PredictView(APIView):
    def post(self, request: Request) -> Response:
        body = RequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        assert request.user.pk is not None
        prediction = create(request.user.pk, **body.validated_data)
        tasks.predict.delay(str(prediction.pk))
        deadline = time.monotonic() + WAIT_SECONDS
        while prediction.status != Prediction.Status.SUCCEEDED:
            if time.monotonic() > deadline:
                return Response({"id": str(prediction.pk)}, status=202)
            time.sleep(POLL_SECONDS)
            prediction.refresh_from_db()
        output = json.loads(prediction.output or "null")
        return Response({"id": str(prediction.pk), "output": output}, status=201)


def create(user_id: int, model: str, input: dict[str, object]) -> Prediction:
    version = MLModel.objects.select_related("stable").get(slug=model).stable
    assert version is not None
    wallet_id = wallet_of(user_id).pk
    with transaction.atomic():
        wallet = lock_wallet(wallet_id=wallet_id)
        prediction_id = new_id()
        hold = place_hold(
            wallet=wallet, amount=version.price, reference=("prediction", str(prediction_id))
        )
        return Prediction.objects.create(
            id=prediction_id,
            user_id=user_id,
            version=version,
            hold=hold,
            source="api",
            input=json.dumps(input),
            rows_total=1,
            rows_valid=1,
            price=version.price,
        )


def insert_one(request: HttpRequest) -> HttpResponse:
    """Check the token and store the body: what accepting costs at the very least."""
    token = AccessToken(request.headers["Authorization"].removeprefix("Bearer "))  # type: ignore[arg-type]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bare_accepted (user_id, input) VALUES (%s, %s)",
            [token["user_id"], request.body.decode()],
        )
    return HttpResponse(status=201)
