"""One task a prediction: read it, predict it, charge for it."""

import json

import django

django.setup()

from django.db import transaction
from django.utils import timezone

from benchmarks.naive import app
from billing.services import Resolution, lock_wallet, resolve_holds
from ml_models.inference import load
from predictions.models import Prediction


@app.task
def predict(prediction_id: str) -> None:
    prediction = Prediction.objects.select_related("version__model", "hold").get(pk=prediction_id)
    row = json.loads(prediction.input)
    names = prediction.version.input_schema["properties"]
    features = as_array([[row[name] for name in names]])
    [value] = load(prediction.version).predict(features).tolist()
    with transaction.atomic():
        lock_wallet(wallet_id=prediction.hold.wallet_id)
        resolve_holds([Resolution(prediction.hold_id, prediction.price)])
        prediction.status = Prediction.Status.SUCCEEDED
        prediction.cost = prediction.price
        prediction.output = json.dumps([{"index": 0, "status": "succeeded", "prediction": value}])
        prediction.completed_at = timezone.now()
        prediction.save()


def as_array(rows: list[list[object]]) -> object:
    import numpy as np

    return np.array(rows, dtype=object)
