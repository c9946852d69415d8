CREATE TABLE "deliveries" (
	"id" uuid NOT NULL,
	"day" date NOT NULL,
	"target_id" text NOT NULL,
	"number_id" text NOT NULL,
	"conversation" bigint NOT NULL,
	"state" text DEFAULT 'pending' NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"attempts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"settled_at" timestamp (3) with time zone,
	CONSTRAINT "deliveries_id_day_pk" PRIMARY KEY("id","day"),
	CONSTRAINT "deliveries_state" CHECK ("deliveries"."state" in ('pending', 'delivered', 'failed'))
) PARTITION BY RANGE ("day");
--> statement-breakpoint
CREATE TABLE "events" (
	"id" uuid NOT NULL,
	"day" date NOT NULL,
	"key" uuid NOT NULL,
	"txid" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"type" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"account_id" text,
	"number_id" text,
	"waba_id" text,
	"field" text,
	"content" text NOT NULL,
	"worked_off_at" timestamp (3) with time zone,
	CONSTRAINT "events_id_day_pk" PRIMARY KEY("id","day"),
	CONSTRAINT "events_key" UNIQUE("key","day")
) PARTITION BY RANGE ("day");
--> statement-breakpoint
CREATE TABLE "targets" (
	"id" text PRIMARY KEY NOT NULL,
	"account_id" text NOT NULL,
	"kind" text NOT NULL,
	"secret" text,
	"previous_secret" text,
	"previous_valid_until" timestamp (3) with time zone,
	"off_at" timestamp (3) with time zone,
	"off_reason" text,
	"failing_since" timestamp (3) with time zone,
	"failures" integer DEFAULT 0 NOT NULL,
	"open_until" timestamp (3) with time zone,
	"last_success_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "targets" ADD CONSTRAINT "targets_account_id_organizations_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."organizations"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "deliveries" USING btree ("target_id","next_at","id") WHERE "deliveries"."state" = 'pending';--> statement-breakpoint
CREATE INDEX "deliveries_number" ON "deliveries" USING btree ("number_id","id");--> statement-breakpoint
CREATE INDEX "deliveries_open" ON "deliveries" USING btree ("number_id","id") WHERE "deliveries"."state" in ('pending', 'failed');--> statement-breakpoint
CREATE INDEX "events_account" ON "events" USING btree ("account_id","txid","id") WHERE "events"."account_id" is not null;--> statement-breakpoint
-- Attached, not created as a part: that would lock out whoever reads or writes the others.
CREATE FUNCTION "add_partition"("parent" text, "first" date, "beyond" date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  "part" text := "parent" || to_char("first", '_YYYYMMDD');
BEGIN
  IF to_regclass("part") IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', "part", "parent");
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', "parent", "part", "first", "beyond");
END $$;--> statement-breakpoint
-- Makes what is missing for these days: a partition of events for each, of deliveries for each week, from Monday.
CREATE FUNCTION "add_partitions"("first" date, "last" date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7264025);
  PERFORM "add_partition"('events', "day", "day" + 1)
    FROM (SELECT generate_series("first", "last", interval '1 day')::date AS "day") "days";
  PERFORM "add_partition"('deliveries', "day", "day" + 7)
    FROM (SELECT generate_series(date_trunc('week', "first"), "last", interval '7 days')::date AS "day") "weeks";
END $$;--> statement-breakpoint
SELECT "add_partitions"((now() AT TIME ZONE 'UTC')::date - 8, (now() AT TIME ZONE 'UTC')::date + 14);
