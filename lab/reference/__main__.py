"""Write the reference: `python -m lab.reference`."""

from __future__ import annotations

from lab.reference import FOLDER, reference


def main() -> None:
    """Write every page and remove pages that no longer exist."""
    pages = reference()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
