CREATE INDEX "audit_events_by_type" ON "audit_events" USING btree ("type","at","seq");
--> statement-breakpoint
CREATE INDEX "audit_events_by_account" ON "audit_events" USING btree ("account_id","type","at","seq");
--> statement-breakpoint
CREATE INDEX "audit_events_by_target" ON "audit_events" USING btree ("target_id","type","at","seq");
--> statement-breakpoint
CREATE INDEX "audit_events_by_actor" ON "audit_events" USING btree (("actor" ->> 'id'),"type","at","seq");
--> statement-breakpoint
DROP INDEX "audit_events_account";
--> statement-breakpoint
DROP INDEX "audit_events_target";
--> statement-breakpoint
DROP INDEX "audit_events_actor";
