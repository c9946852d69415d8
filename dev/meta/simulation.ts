/** The simulator's state with what changes it: its clock, its settings, its webhooks. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type JsonFile, keepDocument, readDocument } from '../json-file.ts';
import { FailureRules } from './failures.ts';
import { PictureStore } from './pictures.ts';
import {
  type Account,
  emptyState,
  type PhoneNumber,
  type SeedAccount,
  type State,
  stateSchema,
  type Tier,
  withAccounts,
} from './state.ts';
import { UploadStore } from './uploads.ts';
import { Webhooks } from './webhooks.ts';

export interface SimulatorOptions {
  /** On 127.0.0.1; 0 picks one. */
  port: number;
  appId: string;
  /** Signs webhooks. */
  appSecret: string;
  verifyToken: string;
  accounts: readonly SeedAccount[];
  /** Where webhooks go; null until `PUT /control/callback` sets it. */
  callbackUrl?: string | null;
  /** Milliseconds from the entry of a code until the number can be registered. */
  provisioningDelayMs?: number;
  /** Milliseconds between the tries of a webhook; the last try follows the last of them. */
  retryDelaysMs?: readonly number[];
  /** Where state is kept over restarts; without it, in memory. */
  folder?: string;
}

export interface CallRecord {
  at: string;
  method: string;
  /** With the version, without the query. */
  path: string;
  /** Query and body together, without the token; of a file, its size. */
  params: Record<string, unknown>;
  status: number;
  /** Of Meta's error. */
  code: number | null;
}

const MAX_CALLS = 5000;

export class Simulation {
  readonly options: SimulatorOptions;
  readonly state: State;
  readonly webhooks: Webhooks;
  readonly failures = new FailureRules();
  readonly uploads = new UploadStore();
  readonly pictures: PictureStore;
  /** Oldest first. */
  readonly calls: CallRecord[] = [];
  /** What a name is once its number is provisioned. */
  nameStatusAtStart: PhoneNumber['nameStatus'] = 'PENDING_REVIEW';
  provisioningDelayMs: number;
  /** Its own address, for pictures. */
  url = '';
  readonly #file: JsonFile;
  #ahead = 0;

  constructor(options: SimulatorOptions) {
    this.options = options;
    this.provisioningDelayMs = options.provisioningDelayMs ?? 0;
    const file = options.folder && join(options.folder, 'state.json');
    const known = file ? readDocument(file, stateSchema) : undefined;
    this.state = withAccounts(known ?? emptyState(), options.accounts);
    this.pictures = new PictureStore(options.folder && join(options.folder, 'pictures'));
    this.#file = keepDocument(file || undefined, () => this.state);
    this.webhooks = new Webhooks({
      kept: this.state.webhooks,
      appSecret: options.appSecret,
      verifyToken: options.verifyToken,
      ...(options.retryDelaysMs && { retryDelaysMs: options.retryDelaysMs }),
      changed: () => this.changed(),
    });
  }

  /** Milliseconds; tests move it ahead. */
  now(): number {
    return Date.now() + this.#ahead;
  }

  advance(milliseconds: number): void {
    this.#ahead += milliseconds;
  }

  changed(): void {
    this.#file.changed();
  }

  close(): void {
    this.webhooks.close();
    this.#file.flush();
  }

  recordCall(call: CallRecord): void {
    this.calls.push(call);
    if (this.calls.length > MAX_CALLS) this.calls.shift();
  }

  account(wabaId: string): Account | undefined {
    return this.state.accounts.find((account) => account.wabaId === wabaId);
  }

  number(id: string): PhoneNumber | undefined {
    return this.state.numbers.find((number) => number.id === id);
  }

  businessOf(wabaId: string) {
    const business = this.state.businesses[this.account(wabaId)?.businessId ?? ''];
    if (!business) throw new Error(`Account ${wabaId} belongs to no business.`);
    return business;
  }

  limitOf(number: PhoneNumber): Tier {
    return number.limit ?? this.businessOf(number.wabaId).limit;
  }

  /** Sends changes of one account, in one webhook. */
  send(wabaId: string, changes: { field: string; value: unknown }[]): string {
    const subscribed = this.account(wabaId)?.subscribed ?? false;
    return this.webhooks.send({ wabaId, changes, subscribed, at: this.now() });
  }
}

/** An id as Meta's are: 15 or 16 digits. */
export function newObjectId(): string {
  return `1${BigInt(`0x${randomBytes(7).toString('hex')}`)
    .toString()
    .padStart(17, '0')
    .slice(-14)}`;
}
