# SPDX-License-Identifier: Apache-2.0
"""What the build does between compiler and image: generated files, size report, map. tools/scons calls it."""
