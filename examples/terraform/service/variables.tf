variable "region" {
  description = "The Region."
  type        = string
}

variable "cluster_name" {
  description = "An ECS cluster that exists."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets for the tasks."
  type        = list(string)
}

variable "web_image" {
  description = "The image of the container to measure; it listens on port 8080."
  type        = string
}

variable "esp_image" {
  description = "ESP's image."
  type        = string
}

variable "namespace" {
  description = "The CloudWatch namespace to publish to."
  type        = string
  default     = "Shop"
}

variable "esp_environment" {
  description = "Further variables of ESP's."
  type        = map(string)
  default     = {}
}

variable "create_monitoring_endpoint" {
  description = "Whether to make an interface endpoint for CloudWatch in the VPC."
  type        = bool
  default     = false
}
