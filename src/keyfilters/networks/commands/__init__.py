"""The commands of ``keyfilters`` that need the extra ``networks``, one module each."""
