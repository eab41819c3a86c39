"""The commands of ``keyfilters`` that need the extra ``networks``, one module each."""

METHODS_HELP = "A to D2, A-joint to D-joint, or learned"
REPLACING_HELP = f"{METHODS_HELP} (not in the modes own and learnable)"
WEIGHTS_HELP = "a file, .safetensors or .pth (default: the published weights)"
