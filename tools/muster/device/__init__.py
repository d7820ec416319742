# SPDX-License-Identifier: Apache-2.0
"""What a device keeps in its flash, to the byte: docs/spec/boot.md."""
