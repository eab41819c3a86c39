"""Self-checks of the book's exercises: one module a chapter, one function `check_<chapter>_<number>` an exercise.

A check says whether an answer is right and, where it is not, gives a hint; it never tells the solution. What is right
is computed when the check is called, from the library, not stored.

>>> from keyfilters_book.exercises.method_a import check_5_1
>>> check_5_1(...)
Exercise 5.1: no answer yet. Expected: a function of the variance v and of ...
"""

from .verdict import EXERCISES, Verdict, exercise

__all__ = ["EXERCISES", "Verdict", "exercise"]
