// What VitePress makes of the guides. The pages come from ../main.ts.

import process from "node:process";
import { defineConfig } from "vitepress";

const page = (text, link) => ({ text, link: `/${link}` });

export default defineConfig({
  title: "Parley",
  description: "Durable workflows with messages, events and streams, at the edge",
  base: process.env.SITE_BASE ?? "/",
  cleanUrls: true,
  lastUpdated: false,
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: [
      {
        text: "Understand",
        items: [
          page("Start", ""),
          page("How it works", "concepts"),
          page("Guarantees", "guarantees"),
          page("Waits", "waits"),
          page("Errors and retries", "errors"),
          page("Children", "children"),
          page("Cancel and clean up", "cancellation"),
          page("Versions", "versions"),
        ],
      },
      {
        text: "Use",
        items: [
          page("HTTP", "http"),
          page("Chats and tokens", "chat"),
          page("Tests", "testing"),
          page("Look and repair", "operate"),
          page("Command line", "cli"),
          page("Telemetry", "telemetry"),
          page("Production", "production"),
          page("Costs", "costs"),
        ],
      },
      {
        text: "Stores and platforms",
        items: [
          page("SQLite", "sqlite"),
          page("PostgreSQL", "postgres"),
          page("Neon", "neon"),
          page("Upstash", "upstash"),
          page("Durable Objects", "durable-objects"),
          page("DBOS apps", "dbos"),
          page("Webhooks", "webhooks"),
          page("Cloudflare Workers", "workers"),
          page("Write a driver", "drivers"),
        ],
      },
      {
        text: "Judge",
        items: [
          page("Benchmarks", "benchmarks"),
          page("Comparison", "comparison"),
          page("Changes", "changelog"),
          page("Contributing", "contributing"),
        ],
      },
    ],
  },
});
