// SPDX-License-Identifier: Apache-2.0
// Prints what Particle's binary-version-reader finds in each image that is named on the command line, as a JSON array.
'use strict';

const { HalModuleParser } = require('binary-version-reader');

async function main() {
	const parser = new HalModuleParser();
	const found = [];
	for (const path of process.argv.slice(2)) {
		const { crc, prefixInfo, suffixInfo } = await parser.parseFile(path);
		const extensions = suffixInfo.extensions.map(({ type, length }) => ({ type, length }));
		found.push({ crc, prefixInfo, suffixInfo: { ...suffixInfo, extensions } });
	}
	console.log(JSON.stringify(found));
}

main().catch((error) => {
	console.error(error);
	process.exitCode = 1;
});
