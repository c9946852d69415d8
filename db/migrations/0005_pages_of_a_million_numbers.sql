-- Finds a text in the numbers of one account.
CREATE EXTENSION IF NOT EXISTS btree_gin;
--> statement-breakpoint
DROP INDEX "numbers_question";
--> statement-breakpoint
CREATE INDEX "numbers_by_account" ON "numbers" USING btree ("account_id","id","display_name","mobile_number");
--> statement-breakpoint
CREATE INDEX "numbers_by_account_status" ON "numbers" USING btree ("account_id","status","id");
--> statement-breakpoint
CREATE INDEX "numbers_by_status" ON "numbers" USING btree ("status","id");
--> statement-breakpoint
CREATE INDEX "numbers_by_account_change" ON "numbers" USING btree ("account_id","updated_at","id");
--> statement-breakpoint
CREATE INDEX "numbers_by_change" ON "numbers" USING btree ("updated_at","id");
--> statement-breakpoint
CREATE INDEX "numbers_by_text" ON "numbers" USING gin ("account_id","status",lower("display_name") gin_trgm_ops,"mobile_number" gin_trgm_ops);
--> statement-breakpoint
CREATE INDEX "numbers_question" ON "numbers" USING btree ("account_id","id") WHERE "numbers"."question" is not null;
--> statement-breakpoint
DROP INDEX "numbers_account";
--> statement-breakpoint
DROP INDEX "numbers_account_status";
--> statement-breakpoint
DROP INDEX "numbers_status";
--> statement-breakpoint
DROP INDEX "numbers_account_updated";
--> statement-breakpoint
DROP INDEX "numbers_updated";
--> statement-breakpoint
DROP INDEX "numbers_search";
