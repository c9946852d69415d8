DROP INDEX "numbers_name";--> statement-breakpoint
DROP INDEX "numbers_website";--> statement-breakpoint
CREATE INDEX "numbers_due" ON "numbers" USING btree ("status","due_at") WHERE "numbers"."status" in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL');--> statement-breakpoint
CREATE INDEX "numbers_asked" ON "numbers" USING btree ("status") WHERE "numbers"."question" is not null;--> statement-breakpoint
CREATE INDEX "numbers_reviewer" ON "numbers" USING btree ("previous_reviewer_id","status") WHERE "numbers"."attempt" > 1 and "numbers"."status" in ('PENDING_VERIFICATION', 'PENDING_FACEBOOK_APPROVAL');--> statement-breakpoint
CREATE INDEX "people_staff" ON "people" USING btree ("role") WHERE "people"."role" <> 'user';--> statement-breakpoint
CREATE INDEX "numbers_name" ON "numbers" USING btree (lower("display_name"),"decided_at") WHERE "numbers"."decided_at" is not null;--> statement-breakpoint
CREATE INDEX "numbers_website" ON "numbers" USING btree ("website","decided_at") WHERE "numbers"."decided_at" is not null;