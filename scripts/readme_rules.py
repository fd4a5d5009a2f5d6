"""Write the table of rules in the README anew, from the rules' own files. Run after a rule was added."""

from pathlib import Path

from refconv.report.rules import in_text

README = Path(__file__).resolve().parents[1] / "README.md"

if __name__ == "__main__":
    README.write_text(in_text(README.read_text(encoding="utf-8")), encoding="utf-8")
