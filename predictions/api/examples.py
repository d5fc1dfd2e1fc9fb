"""The examples of predictions that the OpenAPI document shows."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

PREDICTION_ID = "0197b7a3-1111-7c3a-9d7e-2f4b8a1c6e55"
ROWS = [{"size": 1.2, "grade": "A"}, {"size": "wide", "grade": "B"}]
PREDICTION: dict[str, Any] = {
    "id": PREDICTION_ID,
    "model": "random-forest",
    "version": 1,
    "status": "succeeded",
    "error": None,
    "error_code": None,
    "rows_total": 2,
    "rows_valid": 1,
    "price": 5,
    "explain": False,
    "cost": 5,
    "refunded": 0,
    "metadata": {"order": "42"},
    "source": "api",
    "created_at": "2026-11-23T10:01:00.000000Z",
    "started_at": "2026-11-23T10:01:00.004000Z",
    "completed_at": "2026-11-23T10:01:00.011000Z",
    "cancel_requested_at": None,
    "deadline": None,
    "metrics": {"queue_seconds": 0.004, "predict_seconds": 0.002, "total_seconds": 0.011},
    "data_removed": False,
    "urls": {
        "get": f"http://127.0.0.1:8000/api/v1/predictions/{PREDICTION_ID}",
        "cancel": f"http://127.0.0.1:8000/api/v1/predictions/{PREDICTION_ID}/cancel",
        "web": f"http://127.0.0.1:8000/predictions/{PREDICTION_ID}",
    },
    "input": ROWS,
    "output": [
        {"index": 0, "status": "succeeded", "prediction": 2757.5},
        {
            "index": 1,
            "status": "invalid",
            "errors": [
                {"field": "size", "code": "type", "message": "size must be a number; got text."}
            ],
        },
    ],
}
CLASSIFIED: dict[str, Any] = {
    **PREDICTION,
    "model": "iris",
    "rows_total": 1,
    "rows_valid": 1,
    "price": 2,
    "cost": 2,
    "input": {"petal length": 5.1, "petal width": 2.3},
    "output": [
        {
            "index": 0,
            "status": "succeeded",
            "prediction": "virginica",
            "probabilities": {"setosa": 0.0, "versicolor": 0.03, "virginica": 0.97},
        }
    ],
}
SUMMARY = {key: value for key, value in PREDICTION.items() if key not in {"input", "output"}}

REQUEST = OpenApiExample(
    "Two rows",
    {"model": "random-forest", "input": ROWS, "metadata": {"order": "42"}},
    request_only=True,
)
FINISHED = OpenApiExample("A finished prediction", PREDICTION, response_only=True)
FINISHED_CLASSIFIED = OpenApiExample("A row of a classifier", CLASSIFIED, response_only=True)
LISTED = OpenApiExample("A prediction in a list", SUMMARY, response_only=True)
