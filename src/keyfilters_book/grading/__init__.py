"""`keyfilters-grade`: runs the notebooks of a class, each in a process of its own, and judges the answers by their names.

An answer is the variable that the exercise names, wherever a notebook sets it: cells that were duplicated, deleted, moved
or typed anew change nothing. What a notebook prints is not read. The checks run outside of the student's process, which
hands over plain values and is asked for what its functions return; nothing of a student's is unpickled.
"""
