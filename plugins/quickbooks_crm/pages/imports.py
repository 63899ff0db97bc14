"""Import: pick a module, map its fields, and start."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict

from quickbooks_crm import fitting, in_force, mapping, new_field, overview, proving
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingError, SettingsError
from quickbooks_crm.new_field import NewField
from quickbooks_crm.pages import airflow_runs, mapping_form, settings_of_import
from quickbooks_crm.pages.looks import Page, Problem, begin, page, refusal
from quickbooks_crm.pages.mapping_form import Form, Sent, Which
from quickbooks_crm.pages.reaching import reading, writing
from quickbooks_crm.pages.security import (
    Caller,
    Configure,
    Run,
    See,
    User,
    configured,
    dag_id,
    readable,
)
from quickbooks_crm.pages.start import glance
from quickbooks_crm.proving import Proof
from quickbooks_crm.versions import New

router = APIRouter()


class Start(BaseModel):
    """What a person chose before they started an import: which stored version of the mapping, if
    not the one in force, whether QuickBooks is read first, and whether older records follow a
    mapping that has changed."""

    model_config = ConfigDict(extra="forbid")
    version: int | None = None
    read: bool = True
    older: bool = True


class Wanted(BaseModel):
    """A new field of the CRM, as a person describes it."""

    model_config = ConfigDict(extra="forbid")
    label: str
    type: new_field.Type
    length: int | None = None
    decimals: int | None = None
    currency: bool = False
    list: str = ""
    multi_value: bool = False
    default: str = ""
    required: bool = False
    read_only: bool = False

    def of(self, table: str) -> NewField:
        """The field of a table; what does not belong to its type is not asked of it."""
        text, number, keyword = (self.type == kind for kind in ("text", "numeric", "keyword"))
        return NewField(
            table=table,
            label=self.label,
            type=self.type,
            length=self.length if text else None,
            decimals=self.decimals if number else None,
            currency=self.currency and number,
            list=self.list if keyword else None,
            multi_value=self.multi_value and keyword,
            default=self.default or None,
            required=self.required,
            read_only=self.read_only,
        )


@router.get("/import", response_class=HTMLResponse)
def pick(request: Request, user: User) -> Response:
    """The modules that can be imported, and the previews that wait for an answer."""
    names = readable(user, configured())
    with reading() as connection:
        found = [glance(connection, name) for name in names]
    waiting = airflow_runs.waiting(names)
    return page(request, Page("pick.html"), companies=found, waiting=waiting)


@router.get("/import/{company}/{module}", response_class=HTMLResponse)
def fields(request: Request, caller: See, module: str, which: Which = "newest") -> Response:
    """The fields of a module: what of QuickBooks goes into what of the CRM. Who may not change it
    sees what is in force."""
    seen: Which = which if caller.may("configure") else "in_force"
    with reading() as connection:
        realm = overview.realm_of(connection, caller.settings)
        shown = _form(connection, caller, module, seen)
        proof = proving.prove(connection, shown.company, shown.known, module, shown.base.text)
        first = not overview.has_been_loaded(connection, realm, module)
        read = overview.has_been_read(connection, realm, shown.known[module])
    rows = shown.rows()
    return page(
        request,
        Page("fields.html"),
        form=shown,
        which=seen,
        rows=rows,
        unused=shown.unused(rows),
        proof=proof,
        take_exact=first,
        read=read,
        settings=mapping_form.settings(shown),
        of_company=settings_of_import.of_company(shown.company),
        said=settings_of_import,
        may=caller.may,
    )


@router.post("/import/{company}/{module}/check")
def check(caller: Configure, module: str, sent: Sent) -> Response:
    """What is wrong with what a person has filled in so far; nothing is stored."""
    with reading() as connection:
        shown = _form(connection, caller, module, sent.which)
        mapping_form.require_base(shown, sent)
        with _chosen():
            text = shown.changed(sent)
        proof = proving.prove(connection, shown.company, shown.known, module, text)
    told = {"missing": proof.missing, "others": proof.others}
    return JSONResponse(told | {"fields": _beside(proof), "warnings": proof.warnings})


@router.post("/import/{company}/{module}/draft")
def draft(request: Request, caller: Configure, module: str, sent: Sent) -> Response:
    """Store what a person has filled in as the next version of the mapping; it is not in force
    before an import with it was said Yes to."""
    with writing() as connection:
        shown = _form(connection, caller, module, sent.which)
        mapping_form.require_base(shown, sent)
        with _chosen():
            text = shown.changed(sent)
        if text == shown.base.text:
            return _stored(shown.base.text, shown.base.version, shown.base.newest)
        proof = proving.prove(connection, shown.company, shown.known, module, text)
        if not proof.sound:
            return refusal(
                request, Problem(422, "settings", _refused(module, proof), _beside(proof))
            )
        new = New(module, text, shown.base.newest, caller.name, "page")
        version = in_force.store(connection, shown.company, new).version
    return _stored(text, version, version)


@router.post("/import/{company}/{module}/start")
def start(caller: Run, module: str, asked: Start) -> Response:
    """Prove that an import can begin, and begin with its preview."""
    versions = {module: asked.version} if asked.version else {}
    with reading() as connection:
        company = caller.settings
        known = in_force.of(connection, company, versions).mappings
        if module not in known:
            raise HTTPException(404)
        require_connected(connection, company)
        fitting.parted(connection, known, company, (module,))
        if not caller.may("configure"):
            in_force.require_offered(connection, company, versions)
    offer(caller, versions)
    conf = {
        "modules": [module],
        "read": asked.read,
        "older": asked.older,
        "versions": versions,
    }
    return begin(dag_id(company.name, "preview"), conf, f"started/{company.name}/")


@router.post("/import/{company}/{module}/field")
def add_field(caller: Configure, module: str, wanted: Wanted) -> Response:
    """Add a field to the CRM; it can be mapped at once."""
    with writing() as connection:
        shown = _form(connection, caller, module, "in_force")
        added = new_field.add_field(connection, wanted.of(shown.table.name), caller.name)
    said = " ".join((f"Added {added.label}.", *added.notes))
    return JSONResponse({"column": added.column, "said": said})


def _stored(text: str, version: int | None, newest: int) -> Response:
    """The version to import with, None for what is in force; and what the form is now made of."""
    told = {"version": version, "base": mapping.hashed(text), "based_on": newest}
    return JSONResponse(told)


def _form(connection: Connection[Any], caller: Caller, module: str, which: Which) -> Form:
    company = caller.settings
    realm = overview.realm_of(connection, company)
    found = mapping_form.form(connection, company, realm, module, which)
    if found is None:
        raise HTTPException(404)
    return found


@contextmanager
def _chosen() -> Iterator[None]:
    """What was chosen is something that the form offers."""
    try:
        yield
    except KeyError as error:
        raise MappingError(
            "A field of QuickBooks that was chosen is not offered any more. Load the page again, "
            "and choose another."
        ) from error


def offer(caller: Caller, versions: dict[str, int]) -> None:
    """Let the preview show these versions, and its Yes put them in force, when the caller has the
    right to do so; others only take what was offered."""
    if versions and caller.may("configure"):
        with writing() as connection:
            in_force.offer(connection, caller.settings, versions, caller.name)


def require_connected(connection: Connection[Any], company: Company) -> None:
    if not overview.connected(connection, company):
        raise SettingsError(
            f"{company.title} is not connected to QuickBooks, so nothing can be imported. Connect "
            "it on the page Connections, then start again."
        )


def _beside(proof: Proof) -> dict[str, str]:
    """What is wrong, by the parts of the form."""
    columns = {f"source:{column}": said for column, said in proof.columns.items()}
    settings = {f"settings:{word}": said for word, said in proof.settings.items()}
    return columns | {"check" if s == "settings:check" else s: t for s, t in settings.items()}


def _refused(module: str, proof: Proof) -> str:
    """Everything in the way, the missing fields by their labels first."""
    said = []
    if proof.missing:
        said.append(f"These fields of {module} must be filled: {', '.join(proof.missing)}.")
    if proof.columns or proof.settings:
        said.append("What does not fit is said beside its field.")
    return "\n".join([*said, *proof.others, "Nothing was stored."])
