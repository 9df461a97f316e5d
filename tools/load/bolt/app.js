// A Slack app that answers /podium with a fixed text, as @slack/bolt's documents have it.
import bolt from '@slack/bolt';

const app = new bolt.App({
  signingSecret: process.env.SECRET,
  endpoints: ['/slack/commands'],
  // Without this, bolt asks Slack who it is.
  authorize: async () => ({ botToken: 'xoxb-load', botId: 'B1', botUserId: 'U1' }),
});
app.command('/podium', async ({ ack }) => {
  await ack({ response_type: 'ephemeral', text: 'A fixed answer.' });
});
await app.start({ host: '127.0.0.1', port: Number(process.env.PORT) });
