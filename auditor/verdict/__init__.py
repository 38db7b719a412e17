"""The judge: pure rules from observations to verdicts."""

from auditor.verdict.explain import Explanation, explain, explanations
from auditor.verdict.judge import exit_code, judge
from auditor.verdict.rules import RULES

__all__ = ["RULES", "Explanation", "exit_code", "explain", "explanations", "judge"]
