// SPDX-License-Identifier: Apache-2.0
// Listens with particle-api-js: standard input is {options, stream, seconds, publish: [argument...], hear: name}. Each
// event is published once `seconds` have passed since the stream opened; with `hear`, two events of this name are waited
// for, which somebody else publishes. Standard output is {events, reconnects, elapsed}.
const Particle = require('particle-api-js');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', async () => {
  const { options, stream, seconds, publish, hear } = JSON.parse(Buffer.concat(chunks).toString());
  const particle = new Particle(options);
  const names = hear ? [hear, hear] : publish.map(({ name }) => name);
  const events = [];
  let reconnects = 0;
  const began = Date.now();
  const listening = await particle.getEventStream({ auth: options.token, ...stream });
  const done = new Promise((resolve) => {
    listening.on('event', (event) => {
      if (!names.includes(event.name)) return; // the server speaks of devices, too
      events.push(event);
      if (events.length === names.length) resolve();
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
