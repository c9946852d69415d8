CREATE TABLE "meta_connections" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text,
	"waba_id" text NOT NULL,
	"name" text,
	"token" text,
	"token_hash" text NOT NULL,
	"state" text DEFAULT 'active' NOT NULL,
	"problem" jsonb,
	"checked_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "meta_connections_waba_id_unique" UNIQUE("waba_id"),
	CONSTRAINT "meta_connections_account" UNIQUE NULLS NOT DISTINCT("account_id")
);
--> statement-breakpoint
CREATE TABLE "meta_numbers" (
	"number_id" text PRIMARY KEY NOT NULL,
	"connection_id" text NOT NULL,
	"digits" text NOT NULL,
	"phone_number_id" text,
	"requested_name" text,
	"pin" text,
	"code" text,
	"code_operation_id" text,
	"code_outcome" text,
	"code_sent_at" timestamp (3) with time zone,
	"verified_at" timestamp (3) with time zone,
	"registered_at" timestamp (3) with time zone,
	"deregistered_at" timestamp (3) with time zone,
	"pushed_revision" integer,
	"read_at" timestamp (3) with time zone,
	"last_read" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "meta_registrations" (
	"seq" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "meta_registrations_seq_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"mobile_number" text NOT NULL,
	"kind" text NOT NULL,
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"refused" integer
);
--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "facebook" jsonb;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "whatsapp_name" jsonb;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "sync" jsonb;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "quality_rating" text;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "quality_color" text;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "connection_status" text;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "quality_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "quality_source" text;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "messaging_limit" text;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "limit_scope" text;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "limit_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "numbers" ADD COLUMN "limit_source" text;--> statement-breakpoint
ALTER TABLE "meta_connections" ADD CONSTRAINT "meta_connections_account_id_organizations_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "meta_numbers" ADD CONSTRAINT "meta_numbers_number_id_numbers_id_fk" FOREIGN KEY ("number_id") REFERENCES "public"."numbers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "meta_numbers" ADD CONSTRAINT "meta_numbers_connection_id_meta_connections_id_fk" FOREIGN KEY ("connection_id") REFERENCES "public"."meta_connections"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "meta_numbers_connection" ON "meta_numbers" USING btree ("connection_id","digits");--> statement-breakpoint
CREATE INDEX "meta_numbers_phone_number_id" ON "meta_numbers" USING btree ("phone_number_id");--> statement-breakpoint
CREATE INDEX "meta_numbers_read" ON "meta_numbers" USING btree ("read_at") WHERE "meta_numbers"."read_at" is not null;--> statement-breakpoint
CREATE INDEX "meta_registrations_number" ON "meta_registrations" USING btree ("mobile_number","at");--> statement-breakpoint
CREATE INDEX "numbers_by_account_quality" ON "numbers" USING btree ("account_id","quality_rating","id") WHERE "numbers"."quality_rating" is not null;--> statement-breakpoint
CREATE INDEX "numbers_by_quality" ON "numbers" USING btree ("quality_rating","id") WHERE "numbers"."quality_rating" is not null;