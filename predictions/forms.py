"""The forms of the prediction pages: which version, one row, a table of rows."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ml_models.models import ModelVersion
from mlservice.lib.errors import DomainError
from mlservice.lib.schema_form import RowForm
from predictions import csv, wording

MAX_TABLE_BYTES = 1_000_000


class VersionForm(forms.Form):
    """Which version a page spoke of; it rides along hidden, so that its price is the one paid."""

    model = forms.SlugField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1)


class SchemaRowForm(RowForm):
    """One row whose inputs say what the row check says of them."""

    def blame(self, problem: Mapping[str, Any]) -> None:
        """Show a refusal at the input that it is about, else over the row."""
        field = problem["field"] if problem["field"] in self.fields else NON_FIELD_ERRORS
        definition = self.properties.get(problem["field"], {})
        value = self.row().get(problem["field"])
        self.add_error(field, wording.complaint_about(problem, definition, value))


class OneRowForm(SchemaRowForm):
    """One row, an input a column."""

    def input(self) -> Any:
        return self.row()

    def row_forms(self) -> list[SchemaRowForm]:
        return [self]

    def refuse(self, error: DomainError) -> None:
        """Show a refusal at the inputs that it is about, else over the form."""
        refused = error.extra.get("errors", [])
        for problem in refused:
            self.blame(problem)
        if not refused:
            self.add_error(NON_FIELD_ERRORS, wording.refusal(error))


class TableForm(forms.Form):
    """Many rows as CSV, pasted or uploaded."""

    text = forms.CharField(
        label=gettext_lazy("Paste a table"),
        widget=forms.Textarea(
            attrs={"rows": 8, "wrap": "off", "spellcheck": "false", "autocomplete": "off"}
        ),
        required=False,
        strip=False,
    )
    file = forms.FileField(
        label=gettext_lazy("or choose a file, or drop one here"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv"}),
        required=False,
        allow_empty_file=True,
    )

    def __init__(self, *args: Any, version: ModelVersion, **kwargs: Any) -> None:
        self.version = version
        super().__init__(*args, **kwargs)

    def clean_file(self) -> str:
        file: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if file is None:
            return ""
        if (file.size or 0) > MAX_TABLE_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 MB."))
        try:
            return csv.decode(file.read())
        except DomainError as error:
            raise forms.ValidationError(error.detail) from error

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        text, file = data.get("text", ""), data.get("file", "")
        if text.strip() and self.files:
            raise forms.ValidationError(_("Paste a table or choose a file, not both."))
        if not self.errors:
            data["table"] = self._read(file or text)
        return data

    def _read(self, text: str) -> csv.Table:
        try:
            return csv.read_table(text, self.version.input_schema)
        except DomainError as error:
            raise forms.ValidationError(error.detail) from error

    def input(self) -> Any:
        return self.cleaned_data["table"].rows

    def row_forms(self) -> list[SchemaRowForm]:
        return []

    def refuse(self, error: DomainError) -> None:
        """Show a refusal over the form, with the rows that it is about."""
        refused = error.extra.get("errors", [])
        properties = self.version.input_schema["properties"]
        if not refused:
            self.add_error(NON_FIELD_ERRORS, wording.refusal(error))
        for problem in refused[:10]:
            row, said = problem["index"] + 1, wording.sentence(problem, properties)
            message = _("Row %(row)d. %(said)s") % {"row": row, "said": said}
            self.add_error(NON_FIELD_ERRORS, message)
