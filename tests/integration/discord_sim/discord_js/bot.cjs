"use strict";
// A bot as somebody would write it with discord.js: only the API's address is changed. It prints what it hears as lines
// of JSON, and does what lines of JSON on its input ask for.

const readline = require("node:readline");
const {
  ActionRowBuilder, ApplicationCommandType, AttachmentBuilder, ButtonBuilder, ButtonStyle, ChannelType, Client,
  ContextMenuCommandBuilder, EmbedBuilder, Events, GatewayIntentBits, MessageFlags, ModalBuilder, Partials,
  SlashCommandBuilder, StringSelectMenuBuilder, TextInputBuilder, TextInputStyle, UserSelectMenuBuilder,
} = require("discord.js");

const [api, token] = process.argv.slice(2);
const client = new Client({
  intents: Object.values(GatewayIntentBits).filter((bit) => typeof bit === "number"),
  partials: [Partials.Message, Partials.Channel, Partials.Reaction],
  shards: "auto",
  rest: { api },
});
const tell = (event, data = {}) => console.log(JSON.stringify({ event, ...data }));
const shown = (message) => ({
  id: message.id, channel: message.channelId, guild: message.guildId, content: message.content,
  author: message.author?.username, files: message.attachments.map((file) => file.url),
  reply: message.reference?.messageId ?? null,
});

// --- what it hears ---------------------------------------------------------------------------------------------------

client.on(Events.ClientReady, () => tell("ready", {
  shards: [...client.ws.shards.keys()],
  guilds: client.guilds.cache.map((guild) => [guild.id, guild.shardId]),
}));
client.on(Events.ShardReady, (shard) => tell("shard ready", { shard }));
client.on(Events.ShardResume, (shard, replayed) => tell("resumed", { shard, replayed }));
client.on(Events.ShardReconnecting, (shard) => tell("reconnecting", { shard }));
client.on(Events.MessageCreate, (message) => tell("message", shown(message)));
client.on(Events.MessageUpdate, (_, message) => tell("edit", shown(message)));
client.on(Events.MessageDelete, (message) => tell("delete", { id: message.id }));
client.on(Events.MessageBulkDelete, (messages) => tell("bulk delete", { ids: [...messages.keys()] }));
client.on(Events.MessageReactionAdd, (reaction, user) => tell("reaction", { emoji: reaction.emoji.name, user: user.id }));
client.on(Events.ThreadCreate, (thread) => tell("thread", { id: thread.id, name: thread.name, parent: thread.parentId }));
client.on(Events.GuildCreate, (guild) => tell("joined", { id: guild.id }));
client.on(Events.GuildDelete, (guild) => tell("removed", { id: guild.id }));
client.on(Events.GuildUnavailable, (guild) => tell("unavailable", { id: guild.id }));
client.on(Events.GuildAvailable, (guild) => tell("available", { id: guild.id }));
client.on(Events.Error, (error) => tell("error", { text: String(error) }));
client.rest.on("rateLimited", (info) => tell("rate limited", { global: info.global, wait: info.timeToReset }));

// --- commands --------------------------------------------------------------------------------------------------------

const commands = [
  new SlashCommandBuilder().setName("say").setDescription("Says it")
    .addStringOption((option) => option.setName("text").setDescription("What").setRequired(true))
    .addIntegerOption((option) => option.setName("times").setDescription("How often").setMinValue(1).setMaxValue(5)),
  new SlashCommandBuilder().setName("think").setDescription("Thinks first")
    .addAttachmentOption((option) => option.setName("file").setDescription("About this").setRequired(true)),
  new SlashCommandBuilder().setName("choose").setDescription("Offers a choice"),
  new SlashCommandBuilder().setName("fruit").setDescription("Suggests")
    .addStringOption((option) => option.setName("name").setDescription("Its name").setAutocomplete(true)),
  new ContextMenuCommandBuilder().setName("Quote").setType(ApplicationCommandType.Message),
];

const parts = (label) => [
  new ActionRowBuilder().addComponents(
    new StringSelectMenuBuilder().setCustomId("word").setMaxValues(2)
      .addOptions(["red", "green", "blue"].map((name) => ({ label: name, value: name }))),
  ),
  new ActionRowBuilder().addComponents(new UserSelectMenuBuilder().setCustomId("who")),
  new ActionRowBuilder().addComponents(
    new ButtonBuilder().setCustomId("more").setLabel(label).setStyle(ButtonStyle.Primary),
    new ButtonBuilder().setCustomId("ask").setLabel("Ask").setStyle(ButtonStyle.Secondary),
  ),
];

const uses = {
  async say(use) {
    await use.reply(Array(use.options.getInteger("times") ?? 1).fill(use.options.getString("text")).join(" "));
  },
  async think(use) {
    await use.deferReply({ flags: MessageFlags.Ephemeral });
    const read = Buffer.from(await (await fetch(use.options.getAttachment("file").url)).arrayBuffer());
    await use.editReply(`read ${read.length} bytes`);
    await use.followUp({ content: "and another", files: [new AttachmentBuilder(read, { name: "again.bin" })] });
  },
  async choose(use) {
    const { resource } = await use.reply({ content: "choose", components: parts("More"), withResponse: true });
    tell("offered", { id: resource.message.id });
  },
  async fruit(use) {
    if (!use.isAutocomplete()) return use.reply(use.options.getString("name"));
    const known = ["apple", "apricot", "banana"].filter((name) => name.startsWith(use.options.getFocused()));
    return use.respond(known.map((name) => ({ name, value: name })));
  },
  Quote: (use) => use.reply({ content: `> ${use.targetMessage.content}`, flags: MessageFlags.Ephemeral }),
  word: (use) => use.update(`chose ${use.values.join(" and ")}`),
  who: (use) => use.reply({ content: `chose ${use.users.first().username}`, flags: MessageFlags.Ephemeral }),
  async more(use) {
    await use.deferUpdate();
    await use.editReply({ components: parts("Much more") });
  },
  ask: (use) => use.showModal(
    new ModalBuilder().setCustomId("question").setTitle("A question").addComponents(
      new ActionRowBuilder().addComponents(
        new TextInputBuilder().setCustomId("name").setLabel("Name").setStyle(TextInputStyle.Short),
      ),
    ),
  ),
  question: (use) => use.reply(`hello ${use.fields.getTextInputValue("name")}`),
};
client.on(Events.InteractionCreate, async (use) => {
  try {
    await uses[use.commandName ?? use.customId](use);
  } catch (error) {
    tell("error", { text: String(error), code: error.code });
  }
});

// --- what it is asked to do ------------------------------------------------------------------------------------------

const message = async ({ channel, id }) => (await client.channels.fetch(channel)).messages.fetch(id);
const tasks = {
  register: async () => (await client.application.commands.set(commands)).map((command) => command.name),
  async send({ channel, content, file, title, nonce }) {
    const sent = await (await client.channels.fetch(channel)).send({
      content, nonce, enforceNonce: nonce !== undefined,
      files: file ? [new AttachmentBuilder(Buffer.from(file), { name: "a.txt" })] : [],
      embeds: title ? [new EmbedBuilder().setTitle(title).addFields({ name: "a", value: "b" })] : [],
    });
    return shown(sent);
  },
  reply: async (task) => shown(await (await message(task)).reply(task.content)),
  edit: async (task) => shown(await (await message(task)).edit(task.content)),
  delete: async (task) => (await (await message(task)).delete()).id,
  bulk: async ({ channel, ids }) => [...(await (await client.channels.fetch(channel)).bulkDelete(ids)).keys()],
  react: async (task) => (await (await message(task)).react("🙂")).count,
  async history({ channel }) {
    const found = [];
    const { messages } = await client.channels.fetch(channel);
    for (let page, before; page === undefined || page.size === 100; before = page.last()?.id) {
      page = await messages.fetch({ limit: 100, before });
      found.push(...page.keys());
    }
    return found;
  },
  async thread({ channel, id }) {
    const thread = await (await message({ channel, id })).startThread({ name: "talk" });
    await thread.send("inside");
    await thread.setArchived(true);
    const { threads } = await (await client.channels.fetch(channel)).threads.fetchArchived();
    const secret = await (await client.channels.fetch(channel)).threads.create({
      name: "secret", type: ChannelType.PrivateThread,
    });
    return { id: thread.id, archived: [...threads.keys()], secret: secret.type };
  },
  members: async ({ guild }) => (await (await client.guilds.fetch(guild)).members.fetch()).map((m) => m.user.username),
  quit: async () => { await client.destroy(); process.exit(0); },
};
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const task = JSON.parse(line);
  try {
    tell("done", { number: task.number, result: await tasks[task.do](task) });
  } catch (error) {
    tell("done", { number: task.number, failed: { text: String(error), code: error.code, status: error.status } });
  }
});

client.login(token);
