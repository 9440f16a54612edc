"""Reads pipeline folders; every error names the file, the line and the key."""

from __future__ import annotations

from pathlib import Path

from airloom.core.documents import Document, KeyPath, did_you_mean, read_document, validated
from airloom.core.errors import DeclarationError
from airloom.core.pipeline import Pipeline

FILE_NAME = "pipeline.yaml"


def read_pipeline(folder: Path) -> Pipeline:
    """Read the pipeline that a folder declares.

    Args:
        folder: A folder with a `pipeline.yaml`.

    Returns:
        The declaration.

    Raises:
        DeclarationError: The file is missing, is not YAML or does not declare a pipeline.
    """
    document = read_document(folder / FILE_NAME)
    pipeline = validated(document, Pipeline, document.content)
    _require_own_name(pipeline, document)
    _require_files(pipeline, document)
    return pipeline


def read_pipelines(include: Path) -> tuple[list[Pipeline], list[DeclarationError]]:
    """Read every pipeline folder; a broken one harms no other.

    Args:
        include: The folder that holds the pipeline folders.

    Returns:
        The pipelines that can be used, and one error for each folder that cannot.
    """
    pipelines, errors = [], []
    for file in sorted(include.glob(f"*/{FILE_NAME}")):
        try:
            pipelines.append(read_pipeline(file.parent))
        except DeclarationError as error:
            errors.append(error)
    return pipelines, errors


def find_pipeline(include: Path, name: str) -> Pipeline:
    """Read one pipeline by its name.

    Raises:
        DeclarationError: No such pipeline, or it is broken.
    """
    if (include / name / FILE_NAME).is_file():
        return read_pipeline(include / name)
    known = sorted(file.parent.name for file in include.glob(f"*/{FILE_NAME}"))
    raise DeclarationError(
        f"There is no pipeline {name!r}.{did_you_mean(name, known)}",
        where=str(include),
        found=", ".join(known) or "no pipeline at all",
        do=f"name one of these, or declare it in include/{name}/{FILE_NAME}",
    )


def _require_own_name(pipeline: Pipeline, document: Document) -> None:
    if pipeline.name != document.file.parent.name:
        raise DeclarationError(
            "A pipeline is named after its folder.",
            where=document.where("name"),
            found=repr(pipeline.name),
            expected=repr(document.file.parent.name),
        )


def _require_files(pipeline: Pipeline, document: Document) -> None:
    named: dict[KeyPath, Path] = {
        ("tables", name, "expectations"): table.expectations for name, table in pipeline.tables.items()
    }
    named |= {("features", "views", name, "sql"): view.sql for name, view in pipeline.features.views.items()}
    for path, relative in named.items():
        if not (document.file.parent / relative).is_file():
            raise DeclarationError(
                "The declaration names a file that does not exist.",
                where=document.where(*path),
                found=str(relative),
                do=f"create include/{pipeline.name}/{relative} or correct the name",
            )
