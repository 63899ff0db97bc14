"""A QuickBooks connection is complete and safe, or says all that is wrong with it."""

from typing import Any

import pytest

from quickbooks_crm.errors import SettingsError
from quickbooks_crm.quickbooks.settings import Connection, settings_of

HUSH = "hush"


def typed(login: str = "id", secret: str = HUSH, **extra: Any) -> Connection:
    """A connection as a person filled it in; sandbox and a company unless said otherwise."""
    extra = {"environment": "sandbox", "realm_id": "9341", "refresh_token": "first"} | extra
    return Connection("quickbooks_sample", login, secret, extra)


def problems_of(connection: Connection) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings_of(connection)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("environment", "api_url", "discovery"),
    [
        ("production", "https://quickbooks.api.intuit.com", "openid_configuration"),
        ("sandbox", "https://sandbox-quickbooks.api.intuit.com", "openid_sandbox_configuration"),
    ],
)
def test_real_environments_have_fixed_addresses(
    environment: str, api_url: str, discovery: str
) -> None:
    settings = settings_of(typed(environment=environment))

    assert settings.api_url == api_url
    assert settings.discovery_url == f"https://developer.api.intuit.com/.well-known/{discovery}"


def test_the_simulator_is_where_the_connection_says() -> None:
    settings = settings_of(
        typed(
            environment="simulator",
            api_url="http://simulator:8765/",
            discovery_url="http://simulator:8765/.well-known/openid_configuration",
        )
    )

    assert settings.api_url == "http://simulator:8765"


def test_everything_wrong_is_said_at_once() -> None:
    """K20: an empty secret, a realm that is none."""
    lines = problems_of(typed(login=" ", secret="", environment="prod", realm_id="93-41"))

    assert lines == [
        "The connection quickbooks_sample is not complete:",
        "  Environment cannot be 'prod': choose production, sandbox or simulator.",
        "  Company id (realm) must be digits only, as QuickBooks shows it under Settings > "
        "Billing.",
        "  Client id is empty: copy it from your app's keys at developer.intuit.com.",
        "  Client secret is empty: copy it from your app's keys at developer.intuit.com.",
        "Change it under Admin > Connections.",
    ]


def test_a_real_company_is_never_read_from_another_address() -> None:
    """K20: an address in the connection could send a real company's token anywhere."""
    lines = problems_of(typed(environment="production", api_url="https://elsewhere.example"))

    assert lines[1:-1] == ["  api_url is for the simulator only: leave it empty."]


@pytest.mark.parametrize("url", ["", "ftp://simulator", "127.0.0.1:8765", "http://", "http://[", 7])
def test_the_simulator_needs_addresses(url: Any) -> None:
    lines = problems_of(typed(environment="simulator", api_url=url, discovery_url="http://x/y"))

    assert lines[1:-1] == [
        "  api_url must be the simulator's address, as in http://127.0.0.1:8765."
    ]


@pytest.mark.parametrize(
    ("environment", "typed_in", "budget"),
    [
        ("production", None, 500_000),
        ("production", "", 500_000),
        ("production", " 1000000 ", 1_000_000),
        ("production", 20, 20),
        ("sandbox", "20", None),
    ],
)
def test_a_month_has_a_budget_of_calls_where_intuit_bills_them(
    environment: str, typed_in: Any, budget: int | None
) -> None:
    assert settings_of(typed(environment=environment, monthly_calls=typed_in)).budget == budget


@pytest.mark.parametrize("typed_in", ["0", "-1", "500,000", "many", "1.5", "1e6", "\u0661"])
def test_a_budget_that_is_no_number_is_said(typed_in: str) -> None:
    lines = problems_of(typed(monthly_calls=typed_in))

    assert lines[1:-1] == [
        f"  Calls a month cannot be '{typed_in}': write a whole number of 1 or more in digits "
        "only, or leave it empty for 500,000."
    ]


def test_no_first_refresh_token_is_fine() -> None:
    """A connected company does not need it any more."""
    assert settings_of(typed(refresh_token=None)).first_refresh_token == ""


def test_secrets_do_not_show() -> None:
    connection = typed(secret="hush-hush", refresh_token="first-token")

    shown = repr(connection) + repr(settings_of(connection))

    assert "hush" not in shown
    assert "first-token" not in shown
