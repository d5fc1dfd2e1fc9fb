"""Predictions over the API: submit, read, list, cancel."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing.models import Wallet
from ml_models.models import ModelVersion
from predictions import runner
from predictions.models import Prediction
from tests.conftest import make_prediction, make_user

PATH = "/api/v1/predictions"


def submit(client: Any, target: ModelVersion, **changes: Any) -> Any:
    body = {"model": target.model.slug, "input": target.example, **changes}
    return client.post(PATH, body, format="json")


def test_a_prediction_is_accepted_with_where_and_when_to_look(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    answer = submit(api(alice), published_version, metadata={"order": "42"})

    body = answer.json()
    assert answer.status_code == 202
    assert answer["Location"] == body["urls"]["get"]
    assert answer["Retry-After"] == "1"
    assert (body["status"], body["cost"], body["output"]) == ("starting", 0, None)
    assert body["input"] == published_version.example
    assert body["metadata"] == {"order": "42"}
    assert set(body) >= {"id", "price", "rows_total", "rows_valid", "metrics", "refunded", "source"}


def test_a_finished_prediction_shows_its_rows_and_its_cost(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    location = submit(api(alice), published_version)["Location"]
    runner.run([Prediction.objects.get().pk])

    body = api(alice).get(location).json()

    assert (body["status"], body["cost"], body["error"]) == ("succeeded", 1, None)
    assert body["output"][0]["status"] == "succeeded"
    assert body["metrics"]["total_seconds"] >= body["metrics"]["queue_seconds"] >= 0
    assert api(alice).get("/api/v1/wallet").json()["balance"] == 999


def test_a_wait_that_runs_out_says_starting(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    client = api(alice)
    body = {"model": "linear-regression", "input": published_version.example}

    answer = client.post(PATH, body, format="json", headers={"Prefer": "wait=1"})

    assert (answer.status_code, answer.json()["status"]) == (202, "starting")
    assert answer["Preference-Applied"] == "wait=1"


def test_short_credits_get_402_with_required_and_available(
    api: Any, db: None, published_version: ModelVersion
) -> None:
    poor = make_user("poor")

    answer = submit(api(poor), published_version)

    body = answer.json()
    assert answer.status_code == 402
    assert (body["code"], body["required"], body["available"]) == ("insufficient_credits", 1, 0)
    assert Prediction.objects.count() == 0


def test_no_valid_row_gets_422_with_positions(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    answer = submit(api(alice), published_version, input=[{}, {"nonsense": 1}])

    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "invalid_features")
    assert {error["index"] for error in body["errors"]} == {0, 1}
    assert {"field", "code", "message", "index"} == set(body["errors"][0])


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"version": 99}, 404, "model_not_found"),
        ({"version": 0}, 400, "invalid_request"),
        ({"model": "a/b"}, 400, "invalid_request"),
        ({"input": None}, 400, "invalid_request"),
        ({"input": []}, 400, "invalid_request"),
        ({"input": "text"}, 422, "invalid_features"),
        ({"input": [{}] * 1_001}, 413, "payload_too_large"),
        ({"metadata": {"key": "v" * 201}}, 400, "invalid_request"),
        ({"metadata": {"k" * 41: "v"}}, 400, "invalid_request"),
        ({"metadata": {str(key): "v" for key in range(11)}}, 400, "invalid_request"),
        ({"metadata": {"key": "a\x00b"}}, 400, "invalid_request"),
        ({"metadata": ["list"]}, 400, "invalid_request"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_held(
    api: Any,
    alice: User,
    published_version: ModelVersion,
    changes: dict[str, Any],
    status: int,
    code: str,
) -> None:
    answer = submit(api(alice), published_version, **changes)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert Prediction.objects.count() == 0
    assert Wallet.objects.get(user=alice).held == 0


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'{"model": "linear-regression", "input": {"carat": NaN}}', 400),
        (b'{"model": "linear-regression", "input": {"carat": 1e999}}', 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
        (b"\xff\xfe{", 400),
        (b'{"input": "' + b"x" * 2_000_000 + b'"}', 413),
    ],
)
def test_a_broken_body_is_a_problem_and_never_a_crash(
    api: Any, alice: User, published_version: ModelVersion, raw: bytes, status: int
) -> None:
    answer = api(alice).generic("POST", PATH, raw, content_type="application/json")

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_another_content_type_is_refused(api: Any, alice: User) -> None:
    answer = api(alice).generic("POST", PATH, b"a=1", content_type="text/plain")

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("method", ["get", "post"])
def test_predictions_need_a_token(client: Any, db: None, method: str) -> None:
    answer = getattr(client, method)(PATH)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert "POST /api/v1/auth/token" in answer.json()["detail"]


def test_a_token_that_is_not_good_is_told_where_there_is_another(client: Any, db: None) -> None:
    answer = client.get(PATH, headers={"Authorization": "Bearer nonsense"})

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert "POST /api/v1/auth/token" in answer.json()["detail"]
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_stranger_gets_404_everywhere(
    api: Any, alice: User, bob: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)

    read = api(bob).get(f"{PATH}/{prediction.pk}")
    cancel = api(bob).post(f"{PATH}/{prediction.pk}/cancel")

    assert (read.status_code, cancel.status_code) == (404, 404)
    assert api(bob).get(PATH).json()["results"] == []
    assert Prediction.objects.get().status == "starting"


def test_canceling_over_the_api(api: Any, alice: User, published_version: ModelVersion) -> None:
    prediction = make_prediction(alice)

    first = api(alice).post(f"{PATH}/{prediction.pk}/cancel")
    again = api(alice).post(f"{PATH}/{prediction.pk}/cancel")

    assert [first.status_code, again.status_code] == [200, 200]
    assert again.json()["status"] == "canceled"
    assert Wallet.objects.get(user=alice).held == 0


def test_canceling_what_is_finished_gets_409(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    prediction = make_prediction(alice)
    runner.run([prediction.pk])

    answer = api(alice).post(f"{PATH}/{prediction.pk}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "already_finished")


def test_a_list_is_newest_first_filtered_and_without_rows(
    api: Any, alice: User, published_version: ModelVersion, forest_version: ModelVersion
) -> None:
    linear = make_prediction(alice)
    forest = make_prediction(alice, model="random-forest")
    runner.run([linear.pk])

    everything = api(alice).get(PATH).json()["results"]
    done = api(alice).get(PATH, {"status": "succeeded"}).json()["results"]
    forests = api(alice).get(PATH, {"model": "random-forest"}).json()["results"]
    none = api(alice).get(PATH, {"created_before": "2020-01-01T00:00:00Z"}).json()["results"]

    assert [row["id"] for row in everything] == [str(forest.pk), str(linear.pk)]
    assert "input" not in everything[0]
    assert "output" not in everything[0]
    assert [row["id"] for row in done] == [str(linear.pk)]
    assert [row["id"] for row in forests] == [str(forest.pk)]
    assert none == []


def test_a_bad_filter_gets_400(api: Any, alice: User) -> None:
    answer = api(alice).get(PATH, {"status": "sleeping"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_a_list_costs_the_same_queries_for_3_and_30_rows(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    counts = []
    for rows in (3, 27):
        for _ in range(rows):
            make_prediction(alice)
        with CaptureQueriesContext(connection) as queries:
            api(alice).get(PATH)
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_a_retired_version_takes_no_new_rows(
    api: Any, alice: User, published_version: ModelVersion
) -> None:
    ModelVersion.objects.filter(pk=published_version.pk).update(status="retired")

    answer = submit(api(alice), published_version, version=published_version.number)

    assert (answer.status_code, answer.json()["code"]) == (422, "version_retired")


def test_the_catalogue_is_public_and_complete(client: Any, published_version: ModelVersion) -> None:
    listed = client.get("/api/v1/models").json()["results"]
    one = client.get("/api/v1/models/linear-regression").json()
    same = client.get("/api/v1/models/linear-regression/versions/1").json()

    assert [row["slug"] for row in listed] == ["linear-regression"]
    assert one == same
    assert {"input_schema", "output_schema", "example", "metrics", "price", "version"} <= set(one)
    assert client.get("/api/v1/models/none").json()["code"] == "model_not_found"
