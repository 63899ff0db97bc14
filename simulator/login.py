"""The OAuth endpoints: discovery, the consent page, tokens and revocation."""

import base64
import binascii
import json
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from simulator.answering import answered, json_response, oauth_error
from simulator.oauth import Denied
from simulator.world import World

SCOPE = "com.intuit.quickbooks.accounting"
_HARD_EXPIRY = "x-include-refresh-token-hard-expires-in"


class Login:
    """The routes of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Where Intuit has them, but on one host."""
        return [
            Route("/.well-known/openid_configuration", self._discovery),
            Route("/.well-known/openid_configuration/", self._discovery),
            Route("/.well-known/openid_sandbox_configuration", self._discovery),
            Route("/.well-known/openid_sandbox_configuration/", self._discovery),
            Route("/connect/oauth2", self._consent_page, methods=["GET"]),
            Route("/connect/oauth2", self._consent, methods=["POST"]),
            Route("/oauth2/v1/tokens/bearer", self._token, methods=["POST"]),
            Route("/v2/oauth2/tokens/revoke", self._revoke, methods=["POST"]),
            Route("/op/v1/jwks", self._keys),
        ]

    async def _discovery(self, request: Request) -> Response:
        async def serve(request: Request, _: str) -> Response:
            return json_response(_endpoints(str(request.base_url).rstrip("/")))

        return await answered(self._world, request, "discovery", "", serve)

    async def _keys(self, request: Request) -> Response:
        return json_response({"keys": []})

    async def _consent_page(self, request: Request) -> Response:
        problem = self._consent_problem(dict(request.query_params))
        if problem:
            return HTMLResponse(f"<h1>Sorry</h1><p>{escape(problem)}</p>", 400)
        info = next(iter(self._world.company.rows("CompanyInfo")), {})
        return HTMLResponse(
            _PAGE.format(company=escape(str(info.get("CompanyName", "the company"))))
        )

    def _consent_problem(self, asked: dict[str, str]) -> str | None:
        if asked.get("client_id") != self._world.settings.client_id:
            return "The app is not known: client_id is wrong."
        if asked.get("response_type") != "code":
            return "response_type must be code."
        if SCOPE not in asked.get("scope", "").split():
            return f"scope must hold {SCOPE}."
        if urlsplit(asked.get("redirect_uri", "")).scheme not in ("http", "https"):
            return "redirect_uri must be a web address."
        if not asked.get("state"):
            return "state is missing."
        return None

    async def _consent(self, request: Request) -> Response:
        """The button was pressed: back to the app, with a code or with a refusal."""
        asked = dict(request.query_params)
        problem = self._consent_problem(asked)
        if problem:
            return HTMLResponse(f"<h1>Sorry</h1><p>{escape(problem)}</p>", 400)
        form = parse_qs((await request.body()).decode())
        answer = {"state": asked["state"]}
        if form.get("decision") == ["connect"]:
            answer["code"] = self._world.tokens.code(asked["redirect_uri"])
            answer["realmId"] = self._world.settings.realm
        else:
            answer["error"] = "access_denied"
        joint = "&" if "?" in asked["redirect_uri"] else "?"
        return RedirectResponse(f"{asked['redirect_uri']}{joint}{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        form = {
            name: values[0] for name, values in parse_qs((await request.body()).decode()).items()
        }

        async def serve(request: Request, _: str) -> Response:
            try:
                self._check_client(request)
                tokens = self._granted(form)
            except Denied as denied:
                return oauth_error(denied.status, denied.body)
            if request.headers.get(_HARD_EXPIRY) != "true":
                del tokens["x_refresh_token_hard_expires_in"]
            return json_response(tokens)

        return await answered(self._world, request, "token", form.get("grant_type", ""), serve)

    def _granted(self, form: dict[str, str]) -> dict[str, object]:
        grant = form.get("grant_type")
        if grant == "refresh_token" and form.get("refresh_token"):
            return self._world.tokens.refresh(form["refresh_token"])
        if grant == "authorization_code" and form.get("code"):
            return self._world.tokens.exchange(form["code"], form.get("redirect_uri", ""))
        known = grant in ("refresh_token", "authorization_code")
        raise Denied("invalid_request" if known or not grant else "unsupported_grant_type")

    def _check_client(self, request: Request) -> None:
        """Raises `Denied` unless the app says who it is."""
        scheme, _, coded = request.headers.get("authorization", "").partition(" ")
        try:
            said = base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            said = ""
        settings = self._world.settings
        if scheme.lower() != "basic" or said != f"{settings.client_id}:{settings.client_secret}":
            raise Denied("invalid_client", status=401)

    async def _revoke(self, request: Request) -> Response:
        body = await request.body()

        async def serve(request: Request, _: str) -> Response:
            try:
                self._check_client(request)
                token = json.loads(body).get("token", "")
            except Denied as denied:
                return oauth_error(denied.status, denied.body)
            except (ValueError, AttributeError):
                token = ""
            revoked = self._world.tokens.revoke(str(token))
            return (
                Response(status_code=200)
                if revoked
                else oauth_error(400, {"error": "invalid_request"})
            )

        return await answered(self._world, request, "revoke", "", serve)


def _endpoints(base: str) -> dict[str, object]:
    return {
        "issuer": f"{base}/op/v1",
        "authorization_endpoint": f"{base}/connect/oauth2",
        "token_endpoint": f"{base}/oauth2/v1/tokens/bearer",
        "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo",
        "revocation_endpoint": f"{base}/v2/oauth2/tokens/revoke",
        "jwks_uri": f"{base}/op/v1/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile", "address", "phone"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
    }


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>QuickBooks simulator: connect</title></head>
<body style="font-family: sans-serif; max-width: 32rem; margin: 4rem auto">
<h1>Connect to {company}?</h1>
<p>This is the simulator's consent page. In QuickBooks the owner of the company signs in here.</p>
<form method="post">
<button name="decision" value="connect">Connect</button>
<button name="decision" value="cancel">No, thanks</button>
</form></body></html>"""
