"""Whatever a client says it takes, the API answers in JSON or says that it cannot."""

from typing import Any

import pytest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.test import APIClient, APIRequestFactory
from rest_framework.views import APIView

from accounts.models import User
from mlservice.lib.negotiation import Negotiation

ACCEPTED = ["*/*", "application/json", "application/*", "text/html, */*;q=0.1", "application/json "]


@pytest.mark.parametrize("accept", [None, *ACCEPTED])
def test_it_chooses_what_drf_would(accept: str | None) -> None:
    sent: Any = {} if accept is None else {"HTTP_ACCEPT": accept}
    request = APIView().initialize_request(APIRequestFactory().get("/", **sent))
    [ours] = renderers = [JSONRenderer()]

    chosen = Negotiation().select_renderer(request, renderers)

    assert chosen == DefaultContentNegotiation().select_renderer(request, renderers)
    assert chosen[0] is ours
    assert chosen[1].startswith("application/json")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", ""])
def test_what_it_has_not_is_refused_in_its_own_form(api: Any, alice: User, accept: str) -> None:
    client: APIClient = api(alice)

    answer = client.get("/api/v1/wallet", headers={"Accept": accept})

    assert answer.status_code == 406
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_acceptable"
