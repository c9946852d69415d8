-- Two set-ups at once could make two. Kept is the one that codes were taken of, then the newest. Should the same person
-- do that once more before the index is there, building it fails: delete one of the rows, and migrate again.
DELETE FROM "two_factors" WHERE "id" NOT IN (
  SELECT DISTINCT ON ("person_id") "id" FROM "two_factors"
  ORDER BY "person_id", "verified" DESC, "last_time_step" DESC NULLS LAST, "id" DESC
);--> statement-breakpoint
CREATE UNIQUE INDEX "two_factors_per_person" ON "two_factors" USING btree ("person_id");--> statement-breakpoint
DROP INDEX "two_factors_person";
