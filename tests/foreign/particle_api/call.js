// SPDX-License-Identifier: Apache-2.0
// Calls methods of particle-api-js, one after another: standard input is {options, calls: [[method, argument]...]},
// standard output a list of {status, body}. In arguments, "$TOKEN" stands for the token of the last log-in.
const Particle = require('particle-api-js');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', async () => {
  const { options, calls } = JSON.parse(Buffer.concat(chunks).toString());
  const particle = new Particle(options);
  const answers = [];
  let token = options.token;
  for (const [method, argument] of calls) {
    try {
      const sent = JSON.parse(JSON.stringify({ auth: token, ...argument }).replaceAll('$TOKEN', token));
      const answer = await particle[method](sent);
      if (method === 'login') token = answer.body.access_token;
      const isRaw = Buffer.isBuffer(answer);
      answers.push(isRaw ? { status: 200, body: answer.toString('hex') } : { status: answer.statusCode, body: answer.body });
    } catch (error) {
      answers.push({ status: error.statusCode ?? 0, body: error.body ?? String(error) });
    }
  }
  process.stdout.write(JSON.stringify(answers));
});
