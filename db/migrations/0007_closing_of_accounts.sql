ALTER TABLE "emails" ADD COLUMN "account_id" text;--> statement-breakpoint
ALTER TABLE "organizations" ADD COLUMN "closed_by" jsonb;--> statement-breakpoint
CREATE INDEX "audit_events_email" ON "audit_events" USING btree (("data" ->> 'email')) WHERE "audit_events"."data" ->> 'email' is not null;--> statement-breakpoint
CREATE INDEX "audit_events_actor" ON "audit_events" USING btree (("actor" ->> 'id'),"seq");--> statement-breakpoint
CREATE INDEX "emails_account" ON "emails" USING btree ("account_id") WHERE "emails"."account_id" is not null;--> statement-breakpoint
CREATE INDEX "emails_recipient" ON "emails" USING btree ("recipient") WHERE "emails"."recipient" is not null;--> statement-breakpoint
CREATE INDEX "organizations_closing" ON "organizations" USING btree ("closed_at") WHERE "organizations"."closed_at" is not null and "organizations"."erased_at" is null;