/**
 * The workflow that answers in a chat: it asks a model, streams the answer, and waits for a person's
 * approval before it refunds anything.
 *
 * @module
 */

import { stream, topic, type Workflow, workflow, type WorkflowContext } from "@parley/parley";
import { convertToModelMessages, type LanguageModel, type ModelMessage, streamText, type ToolSet } from "ai";
import { z } from "zod";
import type { ChatChunk, ChatMessage } from "./message.ts";

/** The chunks of the answer, as `useChat` reads them. */
export const chunks = stream<ChatChunk>("chunks");

/** The answer of a person to one question. Each question has a topic of its own. */
export const approvalOf = (question: string) => topic<{ approved: boolean }>(`approval ${question}`);

/** The messages before the answer. The last one is the user's. */
export interface Question {
  messages: ChatMessage[];
}

/** What the workflow needs from outside. */
export interface Services {
  model: LanguageModel;
  /** Refunds money. The key makes it once, however often it is called. */
  refund(order: string, cents: number, key: string): Promise<string>;
}

const Refund = z.object({ order: z.string(), cents: z.number().int().positive() });
// The tool has no `execute`, because the workflow carries it out, in a step of its own.
const tools: ToolSet = { refund: { description: "Refunds an order", inputSchema: Refund } };

/** How often the model may be asked in one answer. */
const MAX_PARTS = 10;

/** A tool call of the model. */
interface Call {
  toolCallId: string;
  input: z.infer<typeof Refund>;
}

/** The workflow of one answer. Its ID is the ID of the answer's message, too. */
export function answerWorkflow(services: Services): Workflow<Question, void> {
  return workflow("answer", async (ctx, { messages }: Question) => {
    try {
      const said = await convertToModelMessages(messages);
      for (let part = 0; part < MAX_PARTS; part++) {
        const { answered, calls } = await ask(ctx, services.model, part, said);
        said.push(...answered);
        if (calls.length === 0) break;
        for (const call of calls) {
          said.push(await carryOut(ctx, services, call));
        }
      }
      await ctx.writeStream(chunks, { type: "finish" });
    } catch (error) {
      // A chat shows the end of a stream as the end of an answer, unless the stream says more.
      await ctx.writeStream(chunks, { type: "error", errorText: "The answer failed" });
      throw error;
    }
  });
}

/** Asks the model, and streams what it answers. */
function ask(
  ctx: WorkflowContext,
  model: LanguageModel,
  part: number,
  messages: ModelMessage[],
): Promise<{ answered: ModelMessage[]; calls: Call[] }> {
  return ctx.step(`part ${part}`, async (step) => {
    const writer = step.writable(chunks).getWriter();
    // Readers drop what an earlier try of the same part has written.
    await writer.write({ type: "data-try", data: { part }, transient: true });
    if (part === 0) {
      await writer.write({ type: "start", messageId: ctx.workflowId });
    }
    // The step tries again by itself, over restarts, too.
    const result = streamText({ model, messages, tools, abortSignal: step.signal, maxRetries: 0, onError: () => {} });
    for await (
      const chunk of result.toUIMessageStream<ChatMessage>({ sendStart: false, sendFinish: false })
    ) {
      if (chunk.type === "error") throw new Error(chunk.errorText);
      step.signal.throwIfAborted();
      await writer.write(chunk);
    }
    await writer.close();
    const calls = (await result.toolCalls).map(({ toolCallId, input }) => ({
      toolCallId,
      input: Refund.parse(input),
    }));
    return { answered: (await result.response).messages, calls };
  }, { retries: 5 });
}

/** Asks a person, for as long as it takes, and then refunds the order or does not. */
async function carryOut(ctx: WorkflowContext, { refund }: Services, call: Call): Promise<ModelMessage> {
  const { toolCallId, input: { order, cents } } = call;
  await ctx.writeStream(chunks, { type: "tool-approval-request", approvalId: toolCallId, toolCallId });
  const { approved } = await ctx.recv(approvalOf(toolCallId));
  await ctx.writeStream(chunks, { type: "tool-approval-response", approvalId: toolCallId, approved });
  if (!approved) {
    await ctx.writeStream(chunks, { type: "tool-output-denied", toolCallId });
    return toolMessage(toolCallId, { type: "execution-denied" });
  }
  const receipt = await ctx.step("refund", () => refund(order, cents, toolCallId), { retries: 5 });
  await ctx.writeStream(chunks, { type: "tool-output-available", toolCallId, output: receipt });
  return toolMessage(toolCallId, { type: "text", value: receipt });
}

function toolMessage(
  toolCallId: string,
  output: { type: "text"; value: string } | { type: "execution-denied" },
): ModelMessage {
  return { role: "tool", content: [{ type: "tool-result", toolCallId, toolName: "refund", output }] };
}
