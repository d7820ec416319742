# SPDX-License-Identifier: Apache-2.0
"""The command line: thin click commands over the library, one file each."""
