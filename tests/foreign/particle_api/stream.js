// SPDX-License-Identifier: Apache-2.0
// Listens with particle-api-js: standard input is {options, stream, seconds, publish: [argument...]}. Each event is
// published once `seconds` have passed since the stream opened; standard output is {events, reconnects, elapsed}.
const Particle = require('particle-api-js');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', async () => {
  const { options, stream, seconds, publish } = JSON.parse(Buffer.concat(chunks).toString());
  const particle = new Particle(options);
  const events = [];
  let reconnects = 0;
  const began = Date.now();
  const listening = await particle.getEventStream({ auth: options.token, ...stream });
  const done = new Promise((resolve) => {
    listening.on('event', (event) => {
      if (!publish.some(({ name }) => name === event.name)) return; // the server speaks of devices, too
      events.push(event);
      if (events.length === publish.length) resolve();
    });
    listening.on('reconnect', () => reconnects++);
  });
  setTimeout(async () => {
    for (const event of publish) await particle.publishEvent({ auth: options.token, ...event });
  }, seconds * 1000);
  await done;
  listening.end();
  process.stdout.write(JSON.stringify({ events, reconnects, elapsed: (Date.now() - began) / 1000 }), () => process.exit(0));
});
