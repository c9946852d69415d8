-- Finds part of a name or number.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" text PRIMARY KEY NOT NULL,
	"organization_id" text,
	"person_id" text,
	"name" text NOT NULL,
	"lookup" text NOT NULL,
	"hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_lookup_unique" UNIQUE("lookup"),
	CONSTRAINT "api_keys_one_owner" CHECK (num_nonnulls("api_keys"."organization_id", "api_keys"."person_id") = 1)
);
--> statement-breakpoint
CREATE TABLE "email_attempts" (
	"seq" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "email_attempts_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"email_id" text NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp (3) with time zone,
	"recipients" text[] NOT NULL,
	"outcome" text DEFAULT 'sending' NOT NULL,
	"detail" text
);
--> statement-breakpoint
CREATE TABLE "emails" (
	"seq" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "emails_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text NOT NULL,
	"lane" text NOT NULL,
	"number_id" text,
	"attempt" integer,
	"kind" text NOT NULL,
	"message_id" text NOT NULL,
	"data" jsonb NOT NULL,
	"state" text DEFAULT 'unsent' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"settled_at" timestamp (3) with time zone,
	CONSTRAINT "emails_id_unique" UNIQUE("id"),
	CONSTRAINT "emails_message_id_unique" UNIQUE("message_id")
);
--> statement-breakpoint
CREATE TABLE "idempotency_records" (
	"scope" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"operation_id" text NOT NULL,
	"status" integer,
	"headers" jsonb,
	"body" jsonb,
	"locked_until" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_records_scope_key_pk" PRIMARY KEY("scope","key")
);
--> statement-breakpoint
CREATE TABLE "memberships" (
	"id" text PRIMARY KEY NOT NULL,
	"organization_id" text NOT NULL,
	"person_id" text NOT NULL,
	"role" text DEFAULT 'member' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "number_events" (
	"seq" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "number_events_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"id" text NOT NULL,
	"number_id" text NOT NULL,
	"attempt" integer NOT NULL,
	"revision" integer,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" jsonb NOT NULL,
	"data" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"visibility" text DEFAULT 'everyone' NOT NULL,
	"operation_id" text NOT NULL,
	CONSTRAINT "number_events_id_unique" UNIQUE("id")
);
--> statement-breakpoint
CREATE TABLE "numbers" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"mobile_number" text NOT NULL,
	"display_name" text NOT NULL,
	"incoming_url" text,
	"address" text,
	"business_description" text,
	"business_category" text NOT NULL,
	"contact_email" text,
	"website" text,
	"status" text NOT NULL,
	"attempt" integer NOT NULL,
	"revision" integer NOT NULL,
	"waiting_since" timestamp (3) with time zone,
	"due_at" timestamp (3) with time zone,
	"verification" jsonb,
	"facebook_decision" jsonb,
	"ending" jsonb,
	"submitted_by" jsonb NOT NULL,
	"submitted_at" timestamp (3) with time zone NOT NULL,
	"decided_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"started_attempt" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "numbers_status" CHECK ("numbers"."status" in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL', 'APPROVED', 'REJECTED', 'WITHDRAWN', 'RELEASED'))
);
--> statement-breakpoint
CREATE TABLE "organizations" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"slug" text NOT NULL,
	"logo" text,
	"metadata" text,
	"notification_emails" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "organizations_slug_unique" UNIQUE("slug")
);
--> statement-breakpoint
CREATE TABLE "people" (
	"id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"email" text NOT NULL,
	"email_verified" boolean DEFAULT false NOT NULL,
	"image" text,
	"role" text DEFAULT 'user' NOT NULL,
	"banned" boolean DEFAULT false NOT NULL,
	"ban_reason" text,
	"ban_expires" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "people_email_unique" UNIQUE("email")
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_person_id_people_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."people"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_attempts" ADD CONSTRAINT "email_attempts_email_id_emails_id_fk" FOREIGN KEY ("email_id") REFERENCES "public"."emails"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "emails" ADD CONSTRAINT "emails_number_id_numbers_id_fk" FOREIGN KEY ("number_id") REFERENCES "public"."numbers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_organization_id_organizations_id_fk" FOREIGN KEY ("organization_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "memberships" ADD CONSTRAINT "memberships_person_id_people_id_fk" FOREIGN KEY ("person_id") REFERENCES "public"."people"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "number_events" ADD CONSTRAINT "number_events_number_id_numbers_id_fk" FOREIGN KEY ("number_id") REFERENCES "public"."numbers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "numbers" ADD CONSTRAINT "numbers_account_id_organizations_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."organizations"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_keys_organization" ON "api_keys" USING btree ("organization_id");--> statement-breakpoint
CREATE INDEX "api_keys_person" ON "api_keys" USING btree ("person_id");--> statement-breakpoint
CREATE INDEX "email_attempts_email" ON "email_attempts" USING btree ("email_id","seq");--> statement-breakpoint
CREATE INDEX "emails_unsent" ON "emails" USING btree ("lane","seq") WHERE "emails"."state" = 'unsent';--> statement-breakpoint
CREATE INDEX "emails_number" ON "emails" USING btree ("number_id","seq");--> statement-breakpoint
CREATE INDEX "idempotency_records_created" ON "idempotency_records" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "memberships_organization_person" ON "memberships" USING btree ("organization_id","person_id");--> statement-breakpoint
CREATE INDEX "memberships_person" ON "memberships" USING btree ("person_id");--> statement-breakpoint
CREATE UNIQUE INDEX "number_events_revision" ON "number_events" USING btree ("number_id","revision");--> statement-breakpoint
CREATE INDEX "number_events_timeline" ON "number_events" USING btree ("number_id","seq");--> statement-breakpoint
CREATE INDEX "number_events_operation" ON "number_events" USING btree ("number_id","operation_id");--> statement-breakpoint
CREATE UNIQUE INDEX "numbers_live_mobile_number" ON "numbers" USING btree ("mobile_number") WHERE "numbers"."status" in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL', 'APPROVED');--> statement-breakpoint
CREATE INDEX "numbers_account" ON "numbers" USING btree ("account_id","id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "numbers_account_status" ON "numbers" USING btree ("account_id","status","id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "numbers_status" ON "numbers" USING btree ("status","id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX "numbers_mobile_number" ON "numbers" USING btree ("mobile_number");--> statement-breakpoint
CREATE INDEX "numbers_account_updated" ON "numbers" USING btree ("account_id","updated_at");--> statement-breakpoint
CREATE INDEX "numbers_updated" ON "numbers" USING btree ("updated_at");--> statement-breakpoint
CREATE INDEX "numbers_review" ON "numbers" USING btree ("status","waiting_since","id") WHERE "numbers"."status" in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL');--> statement-breakpoint
CREATE INDEX "numbers_unstarted" ON "numbers" USING btree ("id") WHERE "numbers"."started_attempt" < "numbers"."attempt" and "numbers"."status" in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL', 'APPROVED');--> statement-breakpoint
CREATE INDEX "numbers_search" ON "numbers" USING gin ("display_name" gin_trgm_ops,"mobile_number" gin_trgm_ops);