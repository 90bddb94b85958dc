"""A published folder to a hub repository (``geco publish --push``)."""

from __future__ import annotations

from pathlib import Path

from geco.errors import ConfigError, MissingExtraError, WeightsError
from geco.model_files.card import CARD, MULTIVIEW, RECONSTRUCTOR
from geco.model_files.hub import is_hub_name
from geco.model_files.hub_folder import check_whole
from geco.model_files.hub_page import README

# what of a folder is uploaded; a repository's other files stay as they are
FILES = (CARD, README, "training.json", "curves.png", f"{MULTIVIEW}/*", f"{RECONSTRUCTOR}/*")


def check_target(repository: str) -> str:
    """The token that uploading takes; asked for before any work.

    Raises:
        ConfigError: no name of a repository, or nobody is logged in. MissingExtraError: huggingface_hub is
            not installed.
    """
    if not is_hub_name(repository):
        raise ConfigError(f"{repository!r} is no hub repository", "Give OWNER/NAME.")
    try:
        from huggingface_hub import get_token
    except ImportError as error:
        raise MissingExtraError("huggingface_hub", "torch", "geco publish --push") from error
    token = get_token()
    if not token:
        raise ConfigError(
            "the hub wants a token to upload, and there is none",
            "Log in once (hf auth login), or set HF_TOKEN to a token that may write.",
        )
    return token


def push(folder: Path, repository: str, token: str, private: bool = False) -> str:
    """Upload a published folder as one commit; the commit's address.

    Args:
        repository: OWNER/NAME; made if it is not there, then ``private`` or not.

    Raises:
        WeightsError: the folder was not published whole, or the hub refuses.
    """
    _check_page(folder / README)
    check_whole(folder)
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            allow_patterns=list(FILES),
            commit_message="A model of geco publish",
        )
    except Exception as error:
        # the library's HTTP errors, its client's, and those of files that change meanwhile
        why = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise WeightsError(
            f"cannot upload {folder} to {repository}: {why}",
            "Run it again: what has arrived is not sent again. May the token write there?",
        ) from error
    return str(done.commit_url)


def _check_page(path: Path) -> None:
    """Raise WeightsError unless there is a page with the hub's front matter."""
    try:
        head = path.read_text()[:4]
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(
            f"{path} cannot be read: the folder was not published", "Publish the run: geco publish RUN -o."
        ) from error
    if head != "---\n":
        raise WeightsError(f"{path} has no front matter", "Delete it and publish the run again.")
