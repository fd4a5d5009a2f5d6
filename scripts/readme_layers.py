"""Write the table of layers in the README anew, from refconv's own tables. Run after a layer was added."""

from pathlib import Path

from refconv.inventory.coverage import coverage
from refconv.report.coverage import in_text, table

README = Path(__file__).resolve().parents[1] / "README.md"

if __name__ == "__main__":
    README.write_text(in_text(README.read_text(encoding="utf-8"), table(coverage())), encoding="utf-8")
